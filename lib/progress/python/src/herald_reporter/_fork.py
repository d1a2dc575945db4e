"""Reporters in a child process of fork, which has no threads."""

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """What goes on in a child process."""

    def after_fork(self) -> None:
        """Go on in the child process."""


_registered: weakref.WeakSet[Forked] = weakref.WeakSet()


def register(forked: Forked) -> None:
    """Call forked.after_fork in each child process, as long as forked is in use."""
    _registered.add(forked)


def _after_fork() -> None:
    for forked in list(_registered):
        forked.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
