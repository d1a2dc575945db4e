"""Runs testdata/reporter: the scenarios that the Reporters of all languages pass."""

import contextlib
import gc
import io
import json
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fake_clock import START, FakeClock

from herald_reporter import InvalidMessage, PayloadTooLarge, RefusedError, Reporter, Step

FOLDER = Path(__file__).parents[4] / "testdata" / "reporter"
MAX_GROWTH = 2000  # blocks of memory
NAMES = {
    "uploadId": "upload_id", "fileName": "file_name", "jobId": "job_id", "failedRows": "failed_rows",
    "maxAttempts": "max_attempts", "expectEvery": "expect_every", "endAfter": "end_after",
    "currentRow": "current_row", "totalRows": "total_rows", "from": "low", "to": "high",
}  # fmt: skip


def cases() -> list[Any]:
    params = []
    for path in sorted(FOLDER.glob("*.json")):
        for case in json.loads(path.read_text(), object_hook=expand)["cases"]:
            if "python" not in case.get("not", []):
                params.append(pytest.param(case, id=f"{path.name}: {case['name']}"))
    assert params
    return params


def expand(value: dict[str, Any]) -> Any:
    """Return the text that {"repeat": text, "times": number} means. Other objects stay as they are."""
    return value["repeat"] * value["times"] if "repeat" in value else value


def arguments(fields: dict[str, Any]) -> dict[str, Any]:
    return {NAMES.get(name, name): value for name, value in fields.items()}


class Notifier:
    """A client of Lambda that records what is published, and answers as the scenario says."""

    def __init__(self, case: dict[str, Any], clock: FakeClock) -> None:
        self.case, self.clock, self.count = case, clock, 0
        self.published: list[dict[str, Any]] = []  # only the last if the scenario counts them

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 # as boto3
        assert FunctionName == "notifier"
        self.count += 1
        request = json.loads(Payload)
        published = request | request.pop("message") | {"at": self.clock.now()}
        if "key" in published:
            published["key"] = "#" + published["key"].rsplit(" ", 1)[1]
        if "count" in self.case:
            self.published.clear()
        self.published.append(published)
        for answer in self.case.get("answers", []):
            if answer["calls"][0] <= self.count <= answer["calls"][1]:
                return self.answer(answer)
        return {"StatusCode": 200, "Payload": io.BytesIO(b'{"stored":true}')}

    def answer(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "takes" in answer:
            self.clock.wait(threading.Event(), answer["takes"])
        if answer.get("error") == "unreachable":
            message = "secret-token"
            raise ConnectionError(message)
        if "error" in answer:
            payload = {"errorType": answer["error"], "errorMessage": answer.get("text", "secret-token")}
            return {
                "StatusCode": 200,
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(json.dumps(payload).encode()),
            }
        return {
            "StatusCode": 200,
            "Payload": io.BytesIO(json.dumps({"pending": answer.get("pending", False)}).encode()),
        }


def phase_text(template: str) -> Any:
    return lambda done, steps: template.replace("{done}", str(done)).replace("{steps}", str(steps))


def time_of(fields: dict[str, Any]) -> datetime | None:
    return datetime.fromisoformat(fields["at"].replace("Z", "+00:00")) if "at" in fields else None


def call(reporter: Reporter, clock: FakeClock, step: dict[str, Any], blocks: list[int] | None = None) -> None:
    match step:
        case {"phase": fields}:
            fields = arguments({"to": 0} | fields)
            if "text" in fields:
                fields["text"] = phase_text(fields["text"])
            reporter.phase(fields.pop("name"), **fields)
        case {"update": done}:
            reporter.update(done)
        case {"updates": series}:
            for n in range(series["first"], series["last"] + 1):
                if n > series["first"] and series["every"]:
                    clock.advance(step["at"] + (n - series["first"]) * series["every"])
                reporter.update(n)
                if blocks is not None and n == series["last"] // 2:
                    gc.collect()
                    blocks.append(sys.getallocatedblocks())
        case {"reject": rows}:
            reporter.reject(rows)
        case {"error": error}:
            reporter.error(**error)
        case {"result": result}:
            reporter.set_result(result)
        case {"listSteps": steps}:
            reporter.list_steps([Step(**fields | {"at": time_of(fields)}) for fields in steps])
        case {"end": status}:
            reporter.end(status, step.get("text", ""))
        case {"flush": _}:
            reporter.flush()
        case {"close": _}:
            reporter.close()
        case {"freeze": seconds}:
            clock.freeze(seconds)


@pytest.mark.parametrize("case", cases())
def test_scenario(case: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    notifier = Notifier(case, clock)
    config = {"user_id": "u1", "upload_id": "up-1", "file_name": "f.csv"} | arguments(case.get("config", {}))
    if "job_id" in config:
        del config["upload_id"], config["file_name"]
    reporter = Reporter(notifier, "notifier", clock=clock, **config)  # type: ignore[arg-type]

    blocks = []  # in the middle of the updates
    for step in case["steps"]:
        clock.advance(step["at"])
        began = clock.now()
        if "raises" in step:
            kind: type[RefusedError] = {"InvalidMessage": InvalidMessage, "PayloadTooLarge": PayloadTooLarge}[
                step["raises"]
            ]
            with pytest.raises(kind) as refused:
                call(reporter, clock, step)
            assert str(refused.value) == step["says"]
            if "close" not in step:  # the call after the one that raised does what it says
                call(reporter, clock, step)
        else:
            call(reporter, clock, step, blocks if case.get("bounded") else None)
        assert clock.now() - began == pytest.approx(step.get("takes", clock.now() - began), abs=1e-4)
        clock.settle()
    gc.collect()
    assert not case.get("bounded") or sys.getallocatedblocks() - blocks[0] < MAX_GROWTH
    check(case, notifier)
    assert "secret-token" not in caplog.text
    with contextlib.suppress(RefusedError):
        reporter.close()  # a scenario without a close has crashed: what follows does not count


def check(case: dict[str, Any], notifier: Notifier) -> None:
    want = case.get("publishes", [case.get("last")])
    if "count" in case:
        assert notifier.count == case["count"]
    for expected, got in zip(want, notifier.published, strict=False):
        assert not missing(expected, got), got
    assert [p["at"] for p in notifier.published] == pytest.approx([p["at"] for p in want], abs=1e-4)
    for got in notifier.published:
        assert got["type"] == "error" or abs((START.timestamp() + got["at"]) - sent_at(got)) < 0.002, got
        assert fits(got), got


def sent_at(published: dict[str, Any]) -> float:
    return datetime.fromisoformat(published["sentAt"].replace("Z", "+00:00")).timestamp()


def missing(want: dict[str, Any], got: dict[str, Any]) -> list[str]:
    """Return how got differs from the fields of want. None in want means that the field is absent."""
    diff = []
    for field, value in want.items():
        if field in {"fits", "at"}:
            continue
        if isinstance(value, dict):
            diff += missing(value, got.get(field) or {})
        elif got.get(field) != value:
            diff.append(f"{field} is {got.get(field)!r}, want {value!r}")
    return diff


def fits(published: dict[str, Any]) -> bool:
    """Report whether the texts and counts are within the limits of lib/message/limits.go."""

    def size(value: Any) -> int:
        encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return len(encoded.encode()) + 3 * (encoded.count("\u2028") + encoded.count("\u2029"))

    data = published["data"]
    counts = [data.get(name, 0) for name in ("currentRow", "totalRows", "failedRows", "etaMs")]
    return (
        size(data) <= (8192 if published["type"] == "error" else 2560)
        and size(data.get("fileName", "")) <= 1026
        and size(data.get("phase", "")) <= 258
        and 0 <= data.get("progress", 0) <= 100
        and all(0 <= n <= 2**53 for n in counts)
        and bool(data["message"])
    )
