"""The state of a job, and the message that shows it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ._steps import Listed, newest
from ._text import cut, json_bytes

# The limits of lib/message/limits.go. Bytes are those of JSON.
MAX_STATE, MAX_NOTE, MAX_TEXT, MAX_NAME, MAX_PHASE = 2560, 8192, 480, 1024, 256
_MIN_TEXT = 3  # an ellipsis
MAX_STEPS, MAX_ATTEMPT = 2**53, 9999
MIN_EXPECT_EVERY, MAX_EXPECT_EVERY, MIN_END_AFTER, MAX_END_AFTER = 5, 86_400, 60, 2_592_000
TERMINAL = {"succeeded": "Done", "failed": "Failed", "cancelled": "Stopped"}


@dataclass(frozen=True)
class Phase:
    """A stage of the work with equal steps."""

    name: str = ""
    status: str = ""
    low: float = 0
    high: float = 0
    steps: int = 0
    done: int = 0
    rows: bool = False
    current_row: int = 0
    total_rows: int = 0
    text: Callable[[int, int], str] | None = None


@dataclass(frozen=True)
class State:
    """A snapshot of a Reporter. version counts the changes of phase and status."""

    phase: Phase = field(default_factory=Phase)
    began: float = 0
    version: int = 0
    done: int = 0
    failed: int = 0
    status: str = ""
    text: str = ""
    result: str = ""
    listed: Listed = ()

    def progress(self) -> float:
        """Return the job's progress in percent."""
        p = self.phase
        if self.status == "succeeded":
            return 100
        if p.steps <= 0:
            return p.low
        return p.low + (p.high - p.low) * between(self.done, 0, p.steps) / p.steps

    def steps_until(self, moved: float) -> float:
        """Return the done steps at which the progress will have moved by so many percent since this state."""
        p = self.phase
        if self.status or p.steps <= 0 or p.high <= p.low:
            return math.inf
        steps = math.ceil(moved / (p.high - p.low) * p.steps)
        return math.inf if steps > p.steps else self.done + max(steps, 1)

    def part(self, part: str | None) -> dict[str, Any] | None:
        """Return the progress of a part, or None if this is a state of the whole job."""
        p = self.phase
        if not part or self.status or not 0 < p.steps <= MAX_STEPS or p.high == 0:
            return None
        done = between(self.done, 0, p.steps)
        counts = {"done": done, "total": p.steps, "failed": between(self.failed, 0, done)}
        return {"id": part, **compact(counts | {"from": whole(p.low), "to": whole(p.high)}, keep=("done", "total"))}

    def data(self, job: dict[str, Any], floor: float, now: float) -> dict[str, Any]:
        """Return the data of the message, with a progress of at least floor."""
        p = self.phase
        counts = {"currentRow": p.current_row, "totalRows": p.total_rows}
        if p.rows:
            counts = {"currentRow": self.done, "totalRows": p.steps}
            elapsed, moved = now - self.began, self.done - p.done  # since the phase began in this process
            if elapsed > 0 and moved > 0 and not self.status:
                rate = moved / elapsed
                counts["rowsPerSecond"] = math.ceil(rate)
                counts["etaMs"] = int(min(max(p.steps - self.done, 0) / rate * 1000, MAX_STEPS))
        counts = {name: between(n, 0, MAX_STEPS) for name, n in (counts | {"failedRows": self.failed}).items()}
        # Rounding half up, not to even, as Workers in other languages do.
        shown = max(floor, math.floor(self.progress() * 100 + 0.5) / 100)
        names = {name: cut(value, MAX_NAME) if name in {"fileName", "title"} else value for name, value in job.items()}
        rest = {"phase": cut(p.name, MAX_PHASE), "status": self.status or p.status, **counts}
        data = compact({**names, "progress": whole(shown), "message": "", **rest}, keep=("progress", "message"))
        text = self.message()
        if self.status and self.result:
            with_result = data | {"result": self.result}
            data = with_result if MAX_STATE - json_bytes(with_result) >= _MIN_TEXT else data
        if self.listed:
            taken = json_bytes(data | {"message": cut(text, MAX_TEXT)}) + len(',"steps":')
            data |= compact({"steps": newest(self.listed, MAX_STATE - taken)})
        return data | {"message": cut(text, max(MAX_STATE - json_bytes(data), _MIN_TEXT))}

    def message(self) -> str:
        """Return the text of the state. It is never empty."""
        text = self.text
        if not text and self.phase.text:
            try:
                text = str(self.phase.text(self.done, self.phase.steps))
            except Exception:  # noqa: BLE001 # a mistake in the text must not end the reporting
                text = ""
        return text or self.phase.name or TERMINAL.get(self.status, "Working")


@dataclass(frozen=True)
class Job:
    """What all requests of a Reporter have in common."""

    kind: str  # the type of the states
    request: dict[str, Any]  # without the message
    fields: dict[str, Any]  # of each state
    silence: dict[str, Any]  # more fields of each state but the end
    part: str | None = None


def silence(expect_every: float, end_after: float) -> dict[str, int]:
    """Return the fields of how many seconds there may be no news."""
    expect = between(int(expect_every), MIN_EXPECT_EVERY, MAX_EXPECT_EVERY) if expect_every > 0 else 0
    end = between(int(end_after), max(MIN_END_AFTER, expect + 1), MAX_END_AFTER) if end_after > 0 else 0
    return compact({"expectEvery": expect, "endAfter": end})


def between(n: int, low: int, high: int) -> int:
    """Return n, limited to low to high."""
    return max(low, min(n, high))


def percent(x: float, low: float) -> float:
    """Return x, limited to low to 100. NaN becomes low."""
    return min(x, 100) if x >= low else low


def whole(x: float) -> float:
    """Return x as an int if it is one, so that JSON shows 100 and not 100.0."""
    return int(x) if x == int(x) else x


def compact(fields: dict[str, Any], keep: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the fields that are not empty, and those to keep."""
    return {name: value for name, value in fields.items() if value or name in keep}
