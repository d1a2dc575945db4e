"""What a Reporter pushes, and when: its state, and the thread that pushes it."""

from __future__ import annotations

import math
import secrets
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from . import _process
from . import _state as st

if TYPE_CHECKING:
    from ._clock import Clock
    from ._notifier import Notifier, Outcome, RefusedError
    from ._steps import Listed

CLOSE_TIMEOUT = 4.0
_STATE_TIMEOUT = 1.0  # how long flush and close retry what is not the end
_FAST, _SLOW = 0.25, 2.0  # the intervals between two pushes: if progress moved by a percent, and if by less
_STEADY_FAILURES = 6  # after each further failure in a row the pause doubles
_MAX_ERRORS, _ERROR_TRIES = 16, 3


@dataclass(frozen=True)
class Stats:
    """The invocations that succeeded and failed, and the error messages that were given up."""

    published: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass
class _Error:
    data: dict[str, Any]
    key: str
    tries: int = 0


class Pusher:
    """Pushes the states and the errors of a Reporter. Its methods never wait, except close and finish_flush."""

    def __init__(self, notifier: Notifier | None, clock: Clock, job: st.Job, failed_rows: int) -> None:
        """Push by notifier. If it is None, push nothing."""
        self._notifier, self._clock, self._job = notifier, clock, job

        self._lock = threading.Lock()  # protects the next fields
        self._state = st.State()  # without done and failed
        self._errors: deque[_Error] = deque()
        self._flushed: list[threading.Event] = []
        self._failed_rows = failed_rows

        self.done = 0
        self.next_at: float = math.inf  # the done steps at which an update must wake the thread
        self.refused: deque[RefusedError] = deque(maxlen=1)  # what the next call raises
        self.stats = Stats()
        self._closing = notifier is None
        self._deadline = math.inf  # after which close pushes nothing more
        self._key, self._error_count = secrets.token_hex(8), 0
        self._tried = st.State()  # the state of the last push
        self._tried_at = -math.inf  # when it ended
        self._missing = False  # the user may see another state than tried: its push has failed or is pending
        self._failures = 0  # how many pushes in a row have failed
        self._floor = 0.0  # the highest progress that was pushed
        self._error_failed_at = -math.inf

        self._wake, self._stopped = self._clock.event(), self._clock.event()
        self._running = False  # a thread of this process pushes
        if notifier:
            _process.register(self)
        else:
            self._stopped.set()

    def begin(self, phase: st.Phase) -> None:
        """Begin a phase."""
        with self._lock:
            if self._state.status:
                return
            self.done, self.next_at = phase.done, math.inf
            self._state = replace(self._state, phase=phase, began=self._clock.now(), version=self._state.version + 1)
        self.signal()

    def reject(self, rows: int) -> None:
        """Add to the failed rows."""
        with self._lock:
            self._failed_rows += rows

    def add_error(self, data: dict[str, Any]) -> None:
        """Push an error message. If too many wait, it is dropped."""
        with self._lock:
            full = len(self._errors) >= _MAX_ERRORS
            if not full:
                self._error_count += 1
                self._errors.append(_Error(data, f"error {self._key} {self._error_count}"))
        self._count(dropped=int(full))
        self.signal()

    def set_result(self, result: str) -> None:
        """Set where the result is, before the end."""
        with self._lock:
            if not self._state.status:
                self._state = replace(self._state, result=result)

    def list_steps(self, steps: Listed) -> None:
        """Set the list of steps, before the end."""
        with self._lock:
            if self._state.status:
                return
            self._state = replace(self._state, listed=steps)
        self.signal()

    def end(self, status: str, text: str) -> None:
        """End the job, once."""
        with self._lock:
            if self._state.status:
                return
            ended = replace(self._state, status=status, text=text, done=self.done, failed=self._failed_rows)
            self._state = replace(ended, version=ended.version + 1)
        self.signal()

    def start_flush(self) -> threading.Event:
        """Begin to publish what is not published yet. The event is set at the end."""
        event = self._clock.event()
        with self._lock:
            self._flushed.append(event)
        if self._stopped.is_set():
            event.set()
        self.signal()
        return event

    def finish_flush(self, event: threading.Event, seconds: float) -> None:
        """Wait for the event of start_flush, for so many seconds at most."""
        if seconds > 0:
            self._push_here()
        self._clock.wait(event, max(seconds, 0))

    def close(self) -> None:
        """Publish the last state and the errors that are not published yet, within CLOSE_TIMEOUT seconds, and stop."""
        if not self._closing:
            self._deadline = self._clock.now() + CLOSE_TIMEOUT
            self.signal()
        self._closing = True
        self._wake.set()
        if self._push_here():
            self._stopped.set()
        self._clock.wait(self._stopped, CLOSE_TIMEOUT)

    def unfinished(self) -> bool:
        """Report whether something is not published yet, and close was not called."""
        s = self._snapshot()
        return not self._closing and (bool(self._errors) or (s.version > 0 and self._unpublished(s)))

    def signal(self) -> None:
        """Wake the thread. Start it first if this process has none."""
        with self._lock:
            start = not self._running and not self._closing
            self._running = self._running or start
        self._wake.set()
        if start and not self._clock.start(self._run):
            self._running = False  # the next call tries again; flush and close push in their own thread

    def after_fork(self) -> None:
        """Go on in a child process, which has no threads. What is not published yet is left to the parent."""
        self._lock = threading.Lock()
        self._wake, self._stopped, self._running = self._clock.event(), self._clock.event(), False
        self._errors.clear()
        self._flushed = []
        if self._notifier:
            self._notifier.after_fork()
        self._tried, self._missing, self._failures = self._snapshot(), False, 0
        self.next_at = -math.inf  # the first update starts the thread
        if self._closing:
            self._stopped.set()

    def _snapshot(self) -> st.State:
        with self._lock:
            if self._state.status:
                return self._state
            return replace(self._state, done=self.done, failed=self._failed_rows)

    def _count(self, published: int = 0, failed: int = 0, dropped: int = 0) -> None:
        with self._lock:
            s = self.stats
            self.stats = Stats(s.published + published, s.failed + failed, s.dropped + dropped)

    def _push_here(self) -> bool:
        """Push what is not published yet, if no thread could be started for it. Return whether that was so."""
        with self._lock:
            if self._running or self._stopped.is_set():
                return False
            self._running = True
            flushed, self._flushed = self._flushed, []
        self._push_remaining()
        with self._lock:
            self._running = False
        for event in flushed:
            event.set()
        return True

    # What follows runs in the thread that pushes.

    def _run(self) -> None:
        while not self._closing:
            self._clock.wait(self._wake, max(min(self._state_due_in(), self._error_due_in()), 0))
            self._wake.clear()
            with self._lock:
                flushed, self._flushed = self._flushed, []
            if flushed and not self._closing:
                self._push_remaining()
            for event in flushed:
                event.set()
            if not self._closing and self._state_due_in() <= 0:
                self._push(self._snapshot(), wait=False)
            if not self._closing and self._error_due_in() <= 0:
                self._push_error(_ERROR_TRIES)
        self._push_remaining()
        self._stopped.set()
        with self._lock:
            flushed, self._flushed = self._flushed, []
        for event in flushed:
            event.set()

    def _state_due_in(self) -> float:
        """Return in how many seconds the newest state must be pushed, or decided about again."""
        s, since = self._snapshot(), self._clock.now() - self._tried_at
        if s.version == 0:
            return threading.TIMEOUT_MAX
        if s.version != self._tried.version:  # a new phase or the end
            return 0
        if self._failures:
            return self._failure_pause() - since
        if since < _FAST:
            return _FAST - since
        at = self._tried.steps_until(1)
        if self._unpublished(s) and (since >= _SLOW or s.done >= at):
            return 0
        self.next_at = at if since < _SLOW or s.status else self._tried.done + 1  # at is infinite after the end
        if self.done >= self.next_at:  # an update came since the snapshot
            return 0
        return _SLOW - since if since < _SLOW else threading.TIMEOUT_MAX

    def _error_due_in(self) -> float:
        return _SLOW - (self._clock.now() - self._error_failed_at) if self._errors else threading.TIMEOUT_MAX

    def _failure_pause(self) -> float:
        doubled = st.between(self._failures - _STEADY_FAILURES, 0, 4)  # 32 s
        return _SLOW * 2.0**doubled

    def _unpublished(self, s: st.State) -> bool:
        t = self._tried
        changed = (s.version, s.done, s.failed, s.listed) != (t.version, t.done, t.failed, t.listed)
        return self._missing or changed

    def _push(self, s: st.State, *, wait: bool) -> bool:
        """Push a state. Return False if it must be pushed again."""
        self.next_at = math.inf
        fields = self._job.fields if s.status else self._job.fields | self._job.silence
        data = s.data(fields, self._floor, self._clock.now())
        self._floor = data["progress"]
        sent_at = self._clock.date().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        more = {"sentAt": sent_at, "part": s.part(self._job.part)} | ({} if wait else {"wait": False})
        outcome = self._publish(self._job.kind, data, st.compact(more, keep=("wait",)))
        self._tried, self._tried_at = s, self._clock.now()
        self._missing = outcome in {"failed", "pending"}
        self._failures = self._failures + 1 if outcome == "failed" else 0
        return outcome != "failed"

    def _push_error(self, max_tries: float) -> bool:
        """Push the oldest error message. Return False if that failed."""
        error = self._errors[0]
        outcome = self._publish("error", error.data, {"key": error.key})
        error.tries += 1
        if outcome == "failed":
            self._error_failed_at = self._clock.now()
        if outcome != "failed" or error.tries >= max_tries:
            with self._lock:
                self._errors.popleft()
            self._count(dropped=int(outcome in {"failed", "refused"}))
        return outcome != "failed"

    def _push_remaining(self) -> None:
        """Push the last state, then the errors. Retry the end for CLOSE_TIMEOUT, anything else for a second."""
        began, pause = self._clock.now(), 0.05
        while True:
            s = self._snapshot()
            arrived = s.version == 0 or not self._unpublished(s) or self._push(s, wait=True)
            while arrived and self._errors and self._push_error(math.inf):
                pass
            limit = CLOSE_TIMEOUT if s.status and not arrived else _STATE_TIMEOUT
            if (arrived and not self._errors) or self._clock.now() + pause > min(began + limit, self._deadline):
                return
            self._clock.wait(self._clock.event(), pause)
            pause = min(2 * pause, 0.5)

    def _publish(self, kind: str, data: dict[str, Any], fields: dict[str, Any]) -> Outcome:
        """Send a message to the notifier."""
        if not self._notifier:
            return "published"
        request = {**self._job.request, **fields, "message": {"type": kind, "data": data}}
        outcome, refused = self._notifier.send(request)
        if refused:
            self.refused.append(refused)
        self._count(published=int(outcome in {"published", "pending"}), failed=int(outcome in {"failed", "refused"}))
        return outcome
