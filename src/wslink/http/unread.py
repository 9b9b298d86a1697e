"""Responses that are not read: their connections must not keep others out."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic

from wslink.transport import tcp
from wslink.transport.private import BoundedHandler

STALLED = 5.0
"""Seconds in which a client takes nothing of a response, after which its connection may be ended for others."""
LOOK_EVERY = 1.0
"""Seconds between two looks at all connections."""


class Unread:
    """Finds connections whose clients do not read a response, when others need their places (LIM-11).

    Args:
        handlers: the open connections.
    """

    def __init__(self, handlers: Callable[[], Iterable[object]]) -> None:
        self._handlers = handlers
        self._taken: weakref.WeakKeyDictionary[asyncio.Transport, tuple[int, float]] = weakref.WeakKeyDictionary()
        self._stalled: deque[weakref.ref[asyncio.Transport]] = deque()
        self._looked = -LOOK_EVERY

    def look(self) -> None:
        """Check what has been read since the last check. Call it while places are scarce."""
        now = monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        self._stalled.clear()
        for handler in self._handlers():
            transport = handler.transport if isinstance(handler, BoundedHandler) and not handler.upgraded else None
            if transport is None or not tcp.waits(transport):
                continue
            taken = tcp.line(transport).taken
            before, since = self._taken.get(transport, (-1, now))
            if taken != before:
                self._taken[transport] = taken, now
            elif now - since >= STALLED:
                self._stalled.append(weakref.ref(transport))

    def evict(self) -> bool:
        """End a connection whose client has read nothing for `STALLED` seconds. Returns whether there was one."""
        self.look()
        while self._stalled:
            transport = self._stalled.popleft()()
            if transport is not None and not transport.is_closing() and tcp.waits(transport):
                _end(transport)
                return True
        return False


def _end(transport: asyncio.Transport) -> None:
    """End a connection that may be sending a file: asyncio logs an error if such a connection is aborted."""
    sock = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # data in flight is dropped
        sock.shutdown(socket.SHUT_RDWR)
