"""What is published when a process ends: real processes, of each Python that this machine has."""

import gc
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
from fake_clock import FakeClock
from test_reporter import JOB, Client

from herald_reporter import Reporter

PATIENCE = 60  # seconds of real time
OLDEST, NEWEST = 10, 15  # the versions after 3. to look for
BEGIN = """
import atexit, herald_reporter, io, json, os, sys, threading
from herald_reporter import Reporter, Step

class Client:
    def invoke(self, FunctionName, Payload):
        data = json.loads(Payload)["message"]["data"]
        os.write(1, f"{data['message']} {data.get('status')}\\n".encode())
        return {"Payload": io.BytesIO(b"{}")}

class Hanging:
    def invoke(self, **_):
        threading.Event().wait()

def reporter_of(client):
    return Reporter(client, "notifier", user_id="u", job_id="j", title="t")

reporter = reporter_of(Client())
"""
PROGRAMS = {
    "an end without close": ('reporter.end("succeeded", "done")', ["done succeeded"]),
    "an end in a handler, without close": (
        'reporter.phase("work"); reporter.flush(); atexit.register(reporter.end, "failed", "stopped")',
        ["work None", "stopped failed"],
    ),
    "an end in a handler, with close": (
        """
reporter.phase("work")
reporter.flush()
atexit.register(reporter.close)
atexit.register(reporter.end, "failed")""",
        ["work None", "work failed"],
    ),
    "a reporter that was not used before the handlers": (
        'atexit.register(reporter.end, "succeeded", "done")',
        ["done succeeded"],
    ),
    "a reporter that was not used before the handlers, with close": (
        'atexit.register(reporter.close); atexit.register(reporter.end, "succeeded", "done")',
        ["done succeeded"],
    ),
    "a handler that runs after all others, with close": (
        """
atexit.unregister(herald_reporter._process._at_exit)
def handler():
    reporter.end("succeeded", "done")
    reporter.close()
atexit.register(handler)
atexit.register(herald_reporter._process._at_exit)""",
        ["done succeeded"],
    ),
    "a reporter that a handler makes": (
        """
def handler():
    with reporter_of(Client()) as late:
        late.phase("work")
        late.flush()
        late.end("succeeded", "done")
atexit.register(handler)""",
        ["work None", "done succeeded"],
    ),
    "a state without an end": (
        'reporter.phase("work", steps=1000); reporter.flush(); reporter.update(1); sys.exit()',
        ["work None", "work None"],
    ),
    "nothing new": ('reporter.phase("work"); reporter.flush()', ["work None"]),
    "nothing after close": ('reporter.phase("work"); reporter.close(); reporter.end("succeeded")', ["work None"]),
    "a forked process": (
        """
reporter.phase("work")
reporter.flush()
child = os.fork()
if child == 0:
    reporter.end("succeeded", "in the child")
else:
    os.waitpid(child, 0)""",
        ["work None", "in the child succeeded"],
    ),
}


def pythons() -> list[Any]:
    """Return this Python, and one of each other version that the Reporter is for."""
    found = {sys.version_info[:2]: sys.executable}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(OLDEST, NEWEST):
        candidates = [str(path) for path in pyenv.glob(f"versions/3.{minor}.*/bin/python3")]
        candidates.append(shutil.which(f"python3.{minor}") or "")
        for path in filter(None, candidates):
            if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
                found.setdefault((3, minor), path)
    return [pytest.param(path, id=".".join(map(str, version))) for version, path in sorted(found.items())]


def start(python: str, program: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [python, "-c", BEGIN + program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.mark.parametrize("python", pythons())
def test_what_is_not_published_yet_is_published_at_the_end_of_the_process(python: str) -> None:
    running = {name: start(python, program) for name, (program, _) in PROGRAMS.items()}
    for name, process in running.items():
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out.splitlines(), err) == (0, PROGRAMS[name][1], ""), name


@pytest.mark.parametrize("python", pythons())
def test_a_worker_that_fails_publishes_its_last_state_and_no_end(python: str) -> None:
    process = start(python, 'reporter.phase("work", steps=9); reporter.flush(); reporter.update(5); 1 / 0')
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out.splitlines()) == (1, ["work None", "work None"])
    assert err.rstrip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("python", pythons())
def test_a_notifier_that_hangs_does_not_keep_the_process_alive(python: str) -> None:
    process = start(python, "several = [reporter_of(Hanging()) for _ in range(20)]\nfor r in several: r.end('failed')")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (0, ""), err


class NoThreads(FakeClock):
    """A clock of a process that can start no thread."""

    def start(self, run: Any) -> bool:  # noqa: ARG002
        return False


def test_flush_and_close_push_in_their_own_thread_if_no_other_can_start() -> None:
    client = Client()
    reporter = Reporter(client, "notifier", clock=NoThreads(), **JOB)
    reporter.phase("work", steps=10)
    reporter.update(1)
    assert client.calls == 0
    reporter.flush()
    assert client.calls == 1
    reporter.error("CODE", "text")
    reporter.end("succeeded")
    reporter.close()
    assert client.calls == 3
    reporter.update(2)
    reporter.flush()
    reporter.close()
    assert client.calls == 3


def test_without_threads_a_notifier_that_fails_is_called_for_a_bounded_time() -> None:
    clock = NoThreads()

    class Failing(Client):
        def invoke(self, **_: Any) -> dict[str, Any]:
            self.calls += 1
            raise ConnectionError

    client = Failing()
    reporter = Reporter(client, "notifier", clock=clock, **JOB)
    reporter.end("succeeded")
    reporter.close()
    assert client.calls > 1
    assert clock.now() <= 4


def test_a_reporter_that_is_not_in_use_is_not_kept_alive() -> None:
    reporter = Reporter(Client(), "notifier", **JOB)
    pusher = weakref.ref(reporter._pusher)
    del reporter
    gc.collect()
    assert pusher() is None


def test_a_reporter_without_a_client_publishes_nothing() -> None:
    with Reporter(None, "", **JOB) as reporter:
        reporter.phase("work", steps=10)
        reporter.update(5)
        reporter.reject()
        reporter.error("CODE", "text")
        reporter.set_result("https://example.com/r")
        reporter.flush()
        reporter.end("succeeded")
    assert reporter.stats == type(reporter.stats)()
