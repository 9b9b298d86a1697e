"""Turns of connections that are read and written to in coroutines: reads and writes that never wait would keep all
others waiting."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic

TURN = 0.001
"""Seconds for which connections of one event loop are written to, all together, and for which their messages are
handled, before others have their turn."""


class _Writing(threading.local):
    """How many connections are written to, of one thread's event loop."""

    count = 0


class Writing:
    """A connection that is being written to: a context manager."""

    __slots__ = ()

    def __enter__(self) -> Writing:
        _writing.count += 1
        return self

    def __exit__(self, *_: object) -> None:
        _writing.count -= 1

    def until(self) -> float:
        """When a turn ends that begins now, by the monotonic clock."""
        return monotonic() + TURN / _writing.count


class _Reading(threading.local):
    """The turn of one thread's event loop in which messages are handled."""

    number = 0
    is_open = False
    connections = 0  # of which a message was handled in it
    share = TURN

    def begin(self) -> None:
        self.is_open = True
        asyncio.get_running_loop().call_soon(self._end)

    def _end(self) -> None:
        """The next one has begun: as many as there were share its time."""
        self.share = TURN / self.connections
        self.number += 1
        self.connections = 0
        self.is_open = False


class Handling:
    """Messages of one connection that are handled as they are read."""

    __slots__ = ("_spent", "_turn")

    def __init__(self) -> None:
        self._turn = -1
        self._spent = 0.0

    def is_over(self, began: float) -> bool:
        """Whether others are to have their turn, now that a message has been handled.

        Args:
            began: when that began, by the monotonic clock.
        """
        turn = _reading
        if not turn.is_open:
            turn.begin()
        if self._turn != turn.number:
            self._turn, self._spent = turn.number, 0.0
            turn.connections += 1
        self._spent += monotonic() - began
        return self._spent > turn.share


_reading = _Reading()
_writing = _Writing()
WRITING = Writing()
"""The one there is: it holds nothing."""
