"""Priorities of the messages that wait for a client (LANE-2)."""

from __future__ import annotations

from typing import Literal

from wslink.errors import UsageError

Priority = Literal["urgent", "normal", "bulk"]
PRIORITIES: tuple[Priority, ...] = ("urgent", "normal", "bulk")
"""The lanes, the first one first."""


def lane_of(what: str, priority: Priority | None) -> int | None:
    """The number of a priority's lane; None for what its size decides.

    Raises:
        UsageError: naming `what` has a priority that there is none of.
    """
    if priority is None:
        return None
    if priority not in PRIORITIES:
        raise UsageError(f"{what}: priority is {priority!r}; one of {', '.join(PRIORITIES)}")
    return PRIORITIES.index(priority)
