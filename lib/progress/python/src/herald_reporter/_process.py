"""What happens to the Reporters of a process at a fork and at its end."""

from __future__ import annotations

import atexit
import os
import time
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading

EXIT_TIMEOUT = 4.0


class Pushing(Protocol):
    """What pushes for a Reporter."""

    def after_fork(self) -> None:
        """Go on in a child process, which has no threads."""

    def unfinished(self) -> bool:
        """Report whether something is not published yet, and is not given up."""

    def start_flush(self) -> threading.Event:
        """Begin to publish it. The event is set at the end."""

    def finish_flush(self, event: threading.Event, seconds: float) -> None:
        """Wait for the event, for so many seconds at most."""


_registered: weakref.WeakSet[Pushing] = weakref.WeakSet()


def register(pushing: Pushing) -> None:
    """Call pushing at each fork and at the end of the process, as long as it is in use."""
    _registered.add(pushing)


def _after_fork() -> None:
    for pushing in list(_registered):
        pushing.after_fork()


def _at_exit() -> None:
    """Publish what nobody has flushed or closed."""
    deadline = time.monotonic() + EXIT_TIMEOUT
    flushes = [(pushing, pushing.start_flush()) for pushing in list(_registered) if pushing.unfinished()]
    for pushing, event in flushes:
        pushing.finish_flush(event, deadline - time.monotonic())


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
