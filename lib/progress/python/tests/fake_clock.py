"""Virtual time for a Reporter: it moves only when every thread waits."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

START = datetime(2000, 1, 1, tzinfo=timezone.utc)
PATIENCE = 20  # seconds of real time
SECOND = 1_000_000


class FakeClock:
    """A clock whose waits end when its own thread, which made it, advances the time, or waits itself."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._now = 0  # microseconds
        self._running = 0  # threads that were started and have not ended
        self._waits: dict[int, tuple[threading.Event, int]] = {}  # what each of them waits for, and until when
        self._driver = threading.get_ident()

    def now(self) -> float:
        return self._now / SECOND

    def date(self) -> datetime:
        return START + timedelta(microseconds=self._now)

    def event(self) -> threading.Event:
        clock = self

        class Event(threading.Event):
            def set(self) -> None:
                with clock._moved:
                    super().set()
                    clock._moved.notify_all()

        return Event()

    def start(self, run: Callable[[], None]) -> bool:
        def thread() -> None:
            try:
                run()
            finally:
                with self._moved:
                    self._running -= 1
                    self._moved.notify_all()

        with self._moved:
            self._running += 1
        threading.Thread(target=thread, daemon=True).start()
        return True

    def wait(self, event: threading.Event, seconds: float | None) -> bool:
        deadline = self._now + max(round((threading.TIMEOUT_MAX if seconds is None else seconds) * SECOND), 1)
        if threading.get_ident() == self._driver:
            self.advance(deadline / SECOND, event)
            return event.is_set()
        with self._moved:
            self._waits[threading.get_ident()] = (event, deadline)
            self._moved.notify_all()
            while not event.is_set() and self._now < deadline:
                self._moved.wait()
            del self._waits[threading.get_ident()]
        return event.is_set()

    def advance(self, to: float, until: threading.Event | None = None) -> None:
        """Advance the time, from one deadline to the next, until event is set if there is one."""
        end = round(to * SECOND)
        with self._moved:
            self._settle()
            while not (until and until.is_set()):
                following = min((deadline for _, deadline in self._waits.values()), default=end + 1)
                self._now = max(self._now, min(following, end))
                self._moved.notify_all()
                self._settle()
                if following > end:
                    return

    def settle(self) -> None:
        """Wait until every thread waits for a later time."""
        with self._moved:
            self._settle()

    def freeze(self, seconds: float) -> None:
        """Advance the time at once, as for a process that was stopped."""
        with self._moved:
            self._settle()
            self._now += round(seconds * SECOND)
            self._moved.notify_all()
            self._settle()

    def _settle(self) -> None:
        def settled() -> bool:
            waiting = [not event.is_set() and deadline > self._now for event, deadline in self._waits.values()]
            return len(waiting) == self._running and all(waiting)

        if not self._moved.wait_for(settled, PATIENCE):
            message = "a thread neither waits nor ends"
            raise TimeoutError(message)
