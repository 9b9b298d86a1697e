"""Deadlines for hello: one timer for all sessions with the same time limit, instead of one for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from wslink.per_loop import per_loop


class Deadline:
    """Calls back for everyone who has missed a deadline.

    Args:
        seconds: the time limit.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Callable[[], None], float] = {}  # the earliest first
        self._scheduled = False

    def add(self, late: Callable[[], None]) -> None:
        """Call `late` after the time limit, unless it is discarded before."""
        self._due[late] = monotonic() + self._seconds
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._seconds, self._sweep)

    def discard(self, late: Callable[[], None]) -> None:
        """The deadline was met. Safe to call more than once."""
        self._due.pop(late, None)

    def _sweep(self) -> None:
        self._scheduled = False
        while self._due:
            late, due = next(iter(self._due.items()))
            left = due - monotonic()
            if left > 0:
                self._scheduled = True
                asyncio.get_running_loop().call_later(left, self._sweep)
                return
            del self._due[late]
            asyncio.get_running_loop().call_soon(late)  # so that an exception affects no other


@per_loop
def deadline(seconds: float) -> Deadline:
    """The deadline that all sessions with this time limit share on the running event loop."""
    return Deadline(seconds)
