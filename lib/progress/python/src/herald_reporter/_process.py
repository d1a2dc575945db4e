"""What happens to the Reporters of a process at a fork."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Pushing(Protocol):
    """What pushes for a Reporter."""

    def after_fork(self) -> None:
        """Go on in a child process, which has no threads."""


_registered: weakref.WeakSet[Pushing] = weakref.WeakSet()


def register(pushing: Pushing) -> None:
    """Call pushing in each child process, as long as it is in use."""
    _registered.add(pushing)


def _after_fork() -> None:
    for pushing in list(_registered):
        pushing.after_fork()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_after_fork)
