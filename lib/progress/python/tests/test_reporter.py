"""What the scenarios cannot say: real threads, asyncio, wrong arguments."""

import asyncio
import io
import json
import os
import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from fake_clock import FakeClock

from herald_reporter import InvalidMessage, Reporter, Step, result_prefix

JOB = {"user_id": "u1", "job_id": "j", "title": "a title"}


class Client:
    """A client of Lambda whose calls do what the test says."""

    def __init__(self, payload: bytes = b"{}", error: bool = False) -> None:  # noqa: FBT001, FBT002
        self.payload, self.error, self.calls = payload, error, 0

    def invoke(self, **_: Any) -> dict[str, Any]:
        self.calls += 1
        return {"Payload": io.BytesIO(self.payload)} | ({"FunctionError": "Unhandled"} if self.error else {})


class Gate(Client):
    """A client whose calls wait until the test lets them go on."""

    def __init__(self) -> None:
        super().__init__()
        self.called, self.opened, self.went_on = threading.Event(), threading.Event(), []

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        self.called.set()
        self.went_on.append(self.opened.wait(60))
        return super().invoke(**arguments)


def test_the_event_loop_never_waits_for_a_push() -> None:
    async def work() -> None:
        client = Gate()
        async with Reporter(client, "notifier", **JOB) as reporter:
            reporter.phase("train", steps=1000)
            while not client.called.is_set():  # the push hangs now, until this loop opens the gate
                await asyncio.sleep(0.001)
            for n in range(1000):
                reporter.update(n + 1)
                await asyncio.sleep(0)
            client.opened.set()
        assert all(client.went_on)

    asyncio.run(work())


def test_closing_does_not_block_the_event_loop() -> None:
    async def work() -> None:
        client = Gate()
        reporter = Reporter(client, "notifier", **JOB)
        reporter.end("succeeded")
        closing = asyncio.create_task(reporter.aclose())
        while not client.called.is_set():
            await asyncio.sleep(0.001)
        client.opened.set()
        await closing
        assert all(client.went_on)

    asyncio.run(work())


def test_an_exception_of_the_work_is_the_one_that_is_raised() -> None:
    client = Client(b'{"errorType":"InvalidMessage","errorMessage":"epoch must be"}', error=True)
    with pytest.raises(ZeroDivisionError), Reporter(client, "notifier", clock=FakeClock(), **JOB) as reporter:
        reporter.phase("train")
        raise ZeroDivisionError
    assert client.calls == 1
    with pytest.raises(InvalidMessage), Reporter(client, "notifier", clock=FakeClock(), **JOB) as reporter:
        reporter.phase("train")


def test_a_hanging_notifier_does_not_pile_up_threads() -> None:
    clock = FakeClock()
    never = clock.event()

    class Hanging(Client):
        def invoke(self, **arguments: Any) -> dict[str, Any]:
            self.calls += 1
            clock.wait(never, None)
            return super().invoke(**arguments)

    client = Hanging()
    reporter = Reporter(client, "notifier", clock=clock, **JOB)
    reporter.phase("train", steps=100)
    clock.advance(3600)
    assert client.calls == 2
    reporter.close()
    never.set()
    clock.settle()


def test_a_mistake_in_the_text_does_not_end_the_reporting() -> None:
    client = Client()
    with Reporter(client, "notifier", clock=FakeClock(), **JOB) as reporter:
        reporter.phase("train", text=lambda done, steps: 1 / 0)  # type: ignore[arg-type, return-value] # noqa: ARG005
        reporter.end("succeeded")
    assert client.calls >= 1
    assert reporter.stats.failed == 0


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"job_id": "j"},
        {"job_id": "", "title": "t"},
        {"upload_id": "u"},
        {**JOB, "upload_id": "u"},
        {**JOB, "upload_id": "u", "file_name": "f"},
    ],
)
def test_a_job_has_one_pair_of_names(names: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="give either job_id and title, or upload_id and file_name"):
        Reporter(Client(), "notifier", **{"user_id": "u1", **names})


def test_mistakes_are_raised_where_they_are_made() -> None:
    with pytest.raises(ValueError, match="ids must be valid Unicode"):
        Reporter(Client(), "notifier", **JOB | {"user_id": "\ud800"})
    with Reporter(Client(), "notifier", clock=FakeClock(), **JOB) as reporter:
        for mistake in (
            lambda: reporter.update("many"),  # type: ignore[arg-type]
            lambda: reporter.phase("p", steps=float("nan")),  # type: ignore[arg-type]
            lambda: reporter.end("running"),  # type: ignore[arg-type]
            lambda: reporter.error("C", "m", details=object()),
        ):
            with pytest.raises((ValueError, TypeError)):
                mistake()


def test_what_is_no_result_and_no_list_of_steps_is_logged_without_anything_of_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent = []

    class Recording(Client):
        def invoke(self, **arguments: Any) -> dict[str, Any]:
            sent.append(json.loads(arguments["Payload"])["message"]["data"])
            return super().invoke(**arguments)

    began = datetime(2026, 11, 22, 12, tzinfo=timezone(timedelta(hours=2)))
    with Reporter(Recording(), "notifier", clock=FakeClock(), **JOB) as reporter:
        reporter.list_steps(iter([Step("fetch", at=began)]))
        for wrong in (
            Step("secret\ud800"),
            Step(1),  # type: ignore[arg-type]
            Step("a", title=""),
            Step("a", at=datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))),
        ):
            reporter.list_steps([wrong])
        reporter.set_result(result_prefix("u1") + "r")
        for result in (result_prefix("u2") + "secret", "https://example.com/\ud800"):
            reporter.set_result(result)
        reporter.end("succeeded")
    assert sent[-1]["steps"] == [{"name": "fetch", "at": "2026-11-22T10:00:00.000Z"}]
    assert sent[-1]["result"] == "results/dTE/r"
    assert len(caplog.records) == 6
    assert "secret" not in caplog.text


class Pipe(Client):
    """A client that writes the message and the status of each state to a pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.read, self.write = os.pipe()

    def invoke(self, **arguments: Any) -> dict[str, Any]:
        data = json.loads(arguments["Payload"])["message"]["data"]
        os.write(self.write, f"{data['message']} {data.get('status')}\n".encode())
        return super().invoke(**arguments)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_reports_and_repeats_nothing_of_its_parent() -> None:
    for reports in (True, False):
        client = Pipe()
        reporter = Reporter(client, "notifier", **JOB)
        reporter.phase("in the parent")
        reporter.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if reports:
                    reporter.end("succeeded", "in the child")
                reporter.close()
                reporter.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        reporter.close()
        os.close(client.write)
        with os.fdopen(client.read) as pipe:
            lines = pipe.read().splitlines()
        assert lines.count("in the parent None") == 1
        assert lines[-1] == ("in the child succeeded" if reports else "in the parent None")
