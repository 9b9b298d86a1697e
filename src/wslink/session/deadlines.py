"""Until when clients have to say hello: one timer for all that have the same time, instead of one for each."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from time import monotonic


class Deadline:
    """Calls whoever has not been done in time.

    Args:
        seconds: that each has.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[Callable[[], None], float] = {}  # the first to be late first
        self._scheduled = False

    def add(self, late: Callable[[], None]) -> None:
        """Call `late` once the time has gone by, unless it is discarded before."""
        self._due[late] = monotonic() + self._seconds
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_later(self._seconds, self._sweep)

    def discard(self, late: Callable[[], None]) -> None:
        """It has been done. Safe to call more than once."""
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
            asyncio.get_running_loop().call_soon(late)  # one that raises spoils it for nobody else


_deadlines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, Deadline]] = weakref.WeakKeyDictionary()


def deadline(seconds: float) -> Deadline:
    """That of so many seconds, on the running event loop."""
    loop = asyncio.get_running_loop()
    known = _deadlines.get(loop)
    if known is None:
        known = _deadlines[loop] = {}
    found = known.get(seconds)
    if found is None:
        found = known[seconds] = Deadline(seconds)
    return found
