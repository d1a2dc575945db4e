"""The Reporter: the methods that the work calls."""

from __future__ import annotations

import asyncio
import contextlib
import math
from typing import TYPE_CHECKING, Literal

from . import _state as st
from ._clock import Clock
from ._notifier import LOG, LambdaClient, Notifier, RefusedError
from ._pusher import CLOSE_TIMEOUT, Pusher, Stats
from ._result import is_result
from ._steps import Step, listed
from ._text import cut, json_bytes, valid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType


class Reporter:
    """Reports one job, or one part of a job, of one user. Its methods never wait, except flush and close."""

    def __init__(
        self,
        client: LambdaClient | None,
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

        client is boto3.client("lambda"), or None to publish nothing. function is the notifier's name or ARN. A job has
        a job_id and a title, an upload an upload_id and a file_name. The other arguments are the fields of a request:
        see statemachines/README.md.
        """
        job, upload = {"jobId": job_id, "title": title}, {"uploadId": upload_id, "fileName": file_name}
        if all(job.values()) == all(upload.values()) or any((job if all(upload.values()) else upload).values()):
            message = "give either job_id and title, or upload_id and file_name"
            raise ValueError(message)
        if not all(valid(name or "") for name in (user_id, epoch, execution, part, job_id, upload_id)):
            message = "ids must be valid Unicode"
            raise ValueError(message)
        attempt = st.between(int(attempt), 0, st.MAX_ATTEMPT)
        of = st.between(int(max_attempts), attempt, st.MAX_ATTEMPT) if attempt and max_attempts > 0 else 0
        self._user_id = user_id
        clock = clock or Clock()
        self._pusher = Pusher(
            Notifier(client, function, clock) if client is not None else None,
            clock,
            st.Job(
                kind="job_progress" if all(job.values()) else "upload_progress",
                request=st.compact({"userId": user_id, "epoch": epoch, "execution": execution}),
                fields=(job if all(job.values()) else upload) | st.compact({"attempt": attempt, "of": of}),
                silence=st.silence(expect_every, end_after),
                part=part,
            ),
            failed_rows,
        )

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
        self._pusher.begin(phase)

    def update(self, done: int) -> None:
        """Set how many steps of the phase are done."""
        pusher = self._pusher
        pusher.done = done = int(done)
        if pusher.refused:
            self._raise_refused()
        if done >= pusher.next_at:
            pusher.next_at = math.inf
            pusher.signal()

    def reject(self, rows: int = 1) -> None:
        """Add to the failed rows. Call this before the update that counts the rows as done."""
        rows = int(rows)
        self._raise_refused()
        self._pusher.reject(rows)

    def error(self, code: str, message: str, details: object = None) -> None:
        """Send an error message at once. If too many wait, it is dropped. details is any JSON of at most 4 KB."""
        data = {"code": cut(str(code), st.MAX_NAME), "message": ""} | ({} if details is None else {"details": details})
        data["message"] = cut(str(message), max(st.MAX_NOTE - json_bytes(data), st.MAX_TEXT))
        self._raise_refused()
        self._pusher.add_error(data)

    def set_result(self, result: str) -> None:
        """Set where the result of the job is, which the end publishes. Call this before end.

        It is an https URL, or a key of S3 that begins with result_prefix(user_id). Anything else is logged and not set,
        because it must not prevent the end.
        """
        self._raise_refused()
        if result and not is_result(self._user_id, result):
            LOG.warning("result is not published: it is neither an https URL nor a key of the user's results")
            return
        self._pusher.set_result(result)

    def list_steps(self, steps: Iterable[Step]) -> None:
        """Set the list of what the job went through, which each further state publishes.

        It is not about the steps that update counts. Of more than 32 steps only the newest are published. If one of
        them is invalid, that is logged, and the list stays as it was.
        """
        fields = listed(steps)
        self._raise_refused()
        if fields is None:
            LOG.warning("steps are not published: one of them is invalid")
            return
        self._pusher.list_steps(fields)

    def end(self, status: Literal["succeeded", "failed", "cancelled"], text: str = "") -> None:
        """End the whole job. It ends once: further calls do nothing."""
        if status not in st.TERMINAL:
            message = f"status must be one of {', '.join(st.TERMINAL)}"
            raise ValueError(message)
        self._raise_refused()
        self._pusher.end(status, str(text))

    def flush(self) -> None:
        """Publish what is not published yet, and go on. Call it where the process may stop for a time."""
        self._pusher.finish_flush(self._pusher.start_flush(), CLOSE_TIMEOUT)
        self._raise_refused()

    def close(self) -> None:
        """Publish the last state and the errors that are not published yet, within CLOSE_TIMEOUT seconds, and stop."""
        self._pusher.close()
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
        return self._pusher.stats

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
            raise self._pusher.refused.popleft()
