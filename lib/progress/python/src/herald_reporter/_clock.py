"""The time, the threads and the waiting of a Reporter. Tests replace them."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone


class Clock:
    """The real time."""

    def now(self) -> float:
        """Return a time in seconds that only grows."""
        return time.monotonic()

    def date(self) -> datetime:
        """Return the time of day."""
        return datetime.now(timezone.utc)

    def event(self) -> threading.Event:
        """Return an event that wait waits for."""
        return threading.Event()

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        """Wait until event is set, for so many seconds at most. Return whether it is set."""
        return event.wait(seconds)

    def start(self, run: Callable[[], None]) -> bool:
        """Call run in a thread that does not keep the process alive. Return False if no thread can start."""
        try:
            threading.Thread(target=run, name="herald-reporter", daemon=True).start()
        except RuntimeError:  # there are too many, or from Python 3.12 on, the process ends
            return False
        return True
