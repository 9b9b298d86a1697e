"""Priorities of the messages that wait for a client (LANE-2)."""

from __future__ import annotations

from typing import Literal

from wslink.errors import UsageError

Priority = Literal["urgent", "normal", "bulk"]
PRIORITIES: tuple[Priority, ...] = ("urgent", "normal", "bulk")
"""The lanes, in order."""


def lane_of(what: str, priority: Priority | None) -> int | None:
    """The lane of a priority; None if it depends on the size.

    Raises:
        UsageError: there is no such priority. The message names `what`.
    """
    if priority is None:
        return None
    if priority not in PRIORITIES:
        raise UsageError(f"{what}: priority is {priority!r}; one of {', '.join(PRIORITIES)}")
    return PRIORITIES.index(priority)
