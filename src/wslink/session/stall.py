"""Detection of clients that accept nothing of what is waiting for them (LIM-6)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

LOOKS = 5
"""How often a client is checked during `timeout`."""
SLOWEST = 16 * 1024
"""Bytes per second for which a transport that cannot see the peer's progress allows time."""


class Progress(NamedTuple):
    """How much a peer has accepted.

    Attributes:
        taken: a number that changes as the peer accepts more.
        unseen: bytes that were passed on, and whose acceptance cannot be observed.
    """

    taken: int
    unseen: int = 0


class StallWatch:
    """Calls `stalled` when a client has accepted nothing for `timeout` seconds while something was waiting for it.

    Args:
        progress: returns what the client has accepted.
        timeout: seconds; 0 for never.
        waiting: returns the bytes that wait because the transport does not accept more.
        stalled: called with the number of seconds.
    """

    __slots__ = ("_due", "_idle", "_progress", "_stalled", "_taken", "_timeout", "_timer", "_waiting")

    def __init__(
        self,
        progress: Callable[[], Progress],
        timeout: float,
        waiting: Callable[[], int],
        stalled: Callable[[float], None],
    ) -> None:
        self._progress = progress
        self._timeout = timeout
        self._waiting = waiting
        self._stalled = stalled
        self._timer: asyncio.TimerHandle | None = None
        self._taken = 0
        self._idle = 0.0
        self._due = 0.0

    def begin(self) -> None:
        """Start watching: something is waiting. Safe to call again."""
        if self._timer is None and self._timeout > 0:
            self._idle = 0.0
            self._taken = self._progress().taken
            self._arm()

    def stop(self) -> None:
        """Watch no more, and refer to nothing that refers to this."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting, self._stalled = int, _ignore

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._timeout / LOOKS
        self._timer = loop.call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._waiting():
            return
        step = self._timeout / LOOKS
        taken, unseen = self._progress()
        busy = asyncio.get_running_loop().time() - self._due > step  # a method blocked the event loop
        self._idle = 0.0 if busy or taken != self._taken else self._idle + step
        self._taken = taken
        if self._idle >= self._timeout - step / 2 + unseen / SLOWEST:
            self._stalled(self._idle)
        else:
            self._arm()


def _ignore(seconds: float) -> None:
    """In place of what refers to a watch that has ended."""
