"""The Reporter: what is worth a push, and when."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from . import _fork
from . import _state as st
from ._clock import Clock
from ._notifier import LOG, LambdaClient, Notifier, Outcome, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

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


class Reporter:
    """Reports one job, or one part of a job, of one user. Its methods never wait, except flush and close."""

    def __init__(
        self,
        client: LambdaClient,
        function: str,
        *,
        user_id: str,
        job_id: str | None = None,
        title: str | None = None,
        upload_id: str | None = None,
        file_name: str | None = None,
        epoch: str | None = None,
        execution: str | None = None,
        part: str | None = None,
        attempt: int = 0,
        max_attempts: int = 0,
        expect_every: float = 0,
        end_after: float = 0,
        failed_rows: int = 0,
        clock: Clock | None = None,
    ) -> None:
        """Make a Reporter, whose thread pushes. The caller must call close, or use the Reporter in a with statement.

        client is boto3.client("lambda"), function the notifier's name or ARN. A job has a job_id and a title, an upload
        an upload_id and a file_name. The other arguments are the fields of a request: see statemachines/README.md.
        """
        job, upload = {"jobId": job_id, "title": title}, {"uploadId": upload_id, "fileName": file_name}
        if all(job.values()) == all(upload.values()) or any((job if all(upload.values()) else upload).values()):
            message = "give either job_id and title, or upload_id and file_name"
            raise ValueError(message)
        self._type = "job_progress" if all(job.values()) else "upload_progress"
        attempt = st.between(int(attempt), 0, st.MAX_ATTEMPT)
        of = st.between(int(max_attempts), attempt, st.MAX_ATTEMPT) if attempt and max_attempts > 0 else 0
        self._job = (job if all(job.values()) else upload) | st.compact({"attempt": attempt, "of": of})
        self._silence = st.silence(expect_every, end_after)
        self._request = st.compact({"userId": user_id, "epoch": epoch, "execution": execution})
        try:
            st.json_bytes([self._request, self._job.get("jobId"), self._job.get("uploadId"), part])
        except UnicodeEncodeError:
            message = "ids must be valid Unicode"
            raise ValueError(message) from None
        self._part = part
        self._clock = clock or Clock()
        self._notifier = Notifier(client, function, self._clock)

        self._lock = threading.Lock()  # protects the next fields
        self._state = st.State()  # without done and failed
        self._errors: deque[_Error] = deque()
        self._flushed: list[threading.Event] = []
        self._refused: deque[RefusedError] = deque(maxlen=1)  # what the next call raises
        self._failed_rows = failed_rows

        self._done = 0
        self._next_at: float = math.inf  # the done steps at which update wakes the thread
        self._closing = False
        self._deadline = math.inf  # after which close pushes nothing more
        self._stats = Stats()
        self._key, self._error_count = secrets.token_hex(8), 0
        self._tried = st.State()  # the state of the last push
        self._tried_at = -math.inf  # when it ended
        self._missing = False  # the user may see another state than tried: its push has failed or is pending
        self._failures = 0  # how many pushes in a row have failed
        self._floor = 0.0  # the highest progress that was pushed
        self._error_failed_at = -math.inf

        self._wake, self._stopped = self._clock.event(), self._clock.event()
        self._running = False  # the thread has been started in this process
        _fork.register(self)

    def phase(
        self,
        name: str,
        *,
        steps: int = 0,
        status: Literal["running", "queued", "waiting", "retrying", "stalled"] | None = None,
        low: float = 0,
        high: float = 100,
        done: int = 0,
        rows: bool = False,
        current_row: int = 0,
        total_rows: int = 0,
        text: Callable[[int, int], str] | None = None,
    ) -> None:
        """Begin a phase of so many equal steps, which moves the job's progress from low to high percent."""
        low = st.percent(float(low), 0)
        if status in st.TERMINAL:
            message = "a phase is not the end of the job: call end"
            raise ValueError(message)
        phase = st.Phase(
            name=str(name),
            status=status or "",
            low=low,
            high=st.percent(float(high), low),
            steps=int(steps),
            done=int(done),
            rows=bool(rows),
            current_row=int(current_row),
            total_rows=int(total_rows),
            text=text,
        )
        self._raise_refused()
        with self._lock:
            if self._state.status:
                return
            self._done, self._next_at = phase.done, math.inf
            self._state = replace(self._state, phase=phase, began=self._clock.now(), version=self._state.version + 1)
        self._signal()

    def update(self, done: int) -> None:
        """Set how many steps of the phase are done."""
        self._done = done = int(done)
        if self._refused:
            self._raise_refused()
        if done >= self._next_at:
            self._next_at = math.inf
            self._signal()

    def reject(self, rows: int = 1) -> None:
        """Add to the failed rows. Call this before the update that counts the rows as done."""
        rows = int(rows)
        self._raise_refused()
        with self._lock:
            self._failed_rows += rows

    def error(self, code: str, message: str, details: object = None) -> None:
        """Send an error message at once. If too many wait, it is dropped. details is any JSON of at most 4 KB."""
        data = {"code": st.cut(str(code), st.MAX_NAME), "message": ""} | (
            {} if details is None else {"details": details}
        )
        data["message"] = st.cut(str(message), max(st.MAX_NOTE - st.json_bytes(data), st.MAX_TEXT))
        self._raise_refused()
        with self._lock:
            full = len(self._errors) >= _MAX_ERRORS
            if not full:
                self._error_count += 1
                self._errors.append(_Error(data, f"error {self._key} {self._error_count}"))
        self._count(dropped=int(full))
        self._signal()

    def end(self, status: Literal["succeeded", "failed", "cancelled"], text: str = "") -> None:
        """End the whole job. It ends once: further calls do nothing."""
        if status not in st.TERMINAL:
            message = f"status must be one of {', '.join(st.TERMINAL)}"
            raise ValueError(message)
        self._raise_refused()
        with self._lock:
            if self._state.status:
                return
            ended = replace(self._state, status=status, text=str(text), done=self._done, failed=self._failed_rows)
            self._state = replace(ended, version=ended.version + 1)
        self._signal()

    def flush(self) -> None:
        """Publish what is not published yet, and go on. Call it where the process may stop for a time."""
        event = self._clock.event()
        with self._lock:
            self._flushed.append(event)
        if self._stopped.is_set():
            event.set()
        self._signal()
        self._clock.wait(event, CLOSE_TIMEOUT)
        self._raise_refused()

    def close(self) -> None:
        """Publish the last state and the errors that are not published yet, within CLOSE_TIMEOUT seconds, and stop."""
        if not self._closing:
            self._deadline = self._clock.now() + CLOSE_TIMEOUT
            self._signal()
        self._closing = True
        self._wake.set()
        self._clock.wait(self._stopped, CLOSE_TIMEOUT)
        self._raise_refused()

    async def aflush(self) -> None:
        """Flush without blocking the event loop."""
        await asyncio.to_thread(self.flush)

    async def aclose(self) -> None:
        """Close without blocking the event loop."""
        await asyncio.to_thread(self.close)

    @property
    def stats(self) -> Stats:
        """The counts so far."""
        return self._stats

    def __enter__(self) -> Reporter:
        """Return the Reporter."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close. An exception of the work does not end the job: another try may go on with it."""
        try:
            self.close()
        except RefusedError as refused:
            if error is None:
                raise
            LOG.warning("push refused: %s", refused)  # the exception of the work is the one to raise

    async def __aenter__(self) -> Reporter:
        """Return the Reporter."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close without blocking the event loop."""
        await asyncio.to_thread(self.__exit__, kind, error, trace)

    def _raise_refused(self) -> None:
        with contextlib.suppress(IndexError):
            raise self._refused.popleft()

    def _count(self, published: int = 0, failed: int = 0, dropped: int = 0) -> None:
        with self._lock:
            s = self._stats
            self._stats = Stats(s.published + published, s.failed + failed, s.dropped + dropped)

    def _signal(self) -> None:
        """Wake the thread. Start it first if this process has none."""
        with self._lock:
            start = not self._running and not self._closing
            self._running = self._running or start
        self._wake.set()
        if start:
            self._clock.start(self._run)

    def after_fork(self) -> None:
        """Go on in a child process, which has no threads. What is not published yet is left to the parent."""
        self._lock = threading.Lock()
        self._wake, self._stopped, self._running = self._clock.event(), self._clock.event(), False
        self._errors.clear()
        self._flushed = []
        self._notifier.after_fork()
        self._tried, self._missing, self._failures = self._snapshot(), False, 0
        self._next_at = -math.inf  # the first update starts the thread
        if self._closing:
            self._stopped.set()

    def _snapshot(self) -> st.State:
        with self._lock:
            if self._state.status:
                return self._state
            return replace(self._state, done=self._done, failed=self._failed_rows)

    # What follows runs in the Reporter's thread.

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
        self._next_at = at if since < _SLOW or s.status else self._tried.done + 1  # at is infinite after the end
        if self._done >= self._next_at:  # an update came since the snapshot
            return 0
        return _SLOW - since if since < _SLOW else threading.TIMEOUT_MAX

    def _error_due_in(self) -> float:
        return _SLOW - (self._clock.now() - self._error_failed_at) if self._errors else threading.TIMEOUT_MAX

    def _failure_pause(self) -> float:
        doubled = st.between(self._failures - _STEADY_FAILURES, 0, 4)  # 32 s
        return _SLOW * 2.0**doubled

    def _unpublished(self, s: st.State) -> bool:
        t = self._tried
        return self._missing or (s.version, s.done, s.failed) != (t.version, t.done, t.failed)

    def _push(self, s: st.State, *, wait: bool) -> bool:
        """Push a state. Return False if it must be pushed again."""
        self._next_at = math.inf
        job = self._job if s.status else self._job | self._silence
        data = s.data(job, self._floor, self._clock.now())
        self._floor = data["progress"]
        sent_at = self._clock.date().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        fields = {"sentAt": sent_at, "part": s.part(self._part)} | ({} if wait else {"wait": False})
        outcome = self._publish(self._type, data, st.compact(fields, keep=("wait",)))
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
        request = {**self._request, **fields, "message": {"type": kind, "data": data}}
        outcome, refused = self._notifier.send(request)
        if refused:
            self._refused.append(refused)
        self._count(published=int(outcome in {"published", "pending"}), failed=int(outcome in {"failed", "refused"}))
        return outcome
