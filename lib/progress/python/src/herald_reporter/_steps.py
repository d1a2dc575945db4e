"""The list of what a job went through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

from ._text import json_bytes, valid

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LISTED, _MAX_NAME = 32, 320  # the limits of lib/message/limits.go; bytes of JSON
_STATUSES = {None, "running", "succeeded", "failed"}

Listed = tuple[dict[str, Any], ...]  # the fields of the steps


@dataclass(frozen=True)
class Step:
    """Something that a job went through, such as a state of its workflow."""

    name: str
    at: datetime | None = None  # when the step began; a time without a zone is local time
    status: Literal["running", "succeeded", "failed"] | None = None  # None is running
    title: str | None = None  # what the user reads in place of the name


def listed(steps: Iterable[Step]) -> Listed | None:
    """Return the fields of the newest steps, or None if one of these steps is invalid."""
    fields = []
    for step in list(steps)[-MAX_LISTED:]:
        names = [step.name] if step.title is None else [step.name, step.title]
        if step.status not in _STATUSES or not all(map(_valid_name, names)):
            return None
        at = None
        if step.at is not None:
            try:
                at = step.at.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            except (OverflowError, ValueError):  # too near to the first or the last year
                return None
        given = {"name": step.name, "at": at, "status": step.status, "title": step.title}
        fields.append({name: value for name, value in given.items() if value is not None})
    return tuple(fields)


def newest(steps: Listed, limit: int) -> Listed:
    """Return as many of the newest steps as have at most so many bytes in JSON."""
    while steps and json_bytes(steps) > limit:
        steps = steps[1:]
    return steps


def _valid_name(name: str) -> bool:
    return isinstance(name, str) and name != "" and valid(name) and json_bytes(name) - 2 <= _MAX_NAME
