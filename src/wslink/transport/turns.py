"""Turns of connections that are written to in coroutines: writes that never wait would keep all others waiting."""

from __future__ import annotations

import threading
from time import monotonic

TURN = 0.002
"""Seconds for which connections of one event loop are written to, all together, before others have their turn."""


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


_writing = _Writing()
WRITING = Writing()
"""The one there is: it holds nothing."""
