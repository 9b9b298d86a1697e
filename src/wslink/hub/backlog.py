"""What waits in the queues of all clients of a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wslink.session.send_queue import OVERHEAD
from wslink.wire.frames import Message


class Backlog:
    """Counts the bytes of messages that wait (session.send_queue.Ledger). One that waits in many queues counts once,
    and `OVERHEAD` for each.

    Args:
        limit: gives the bytes that may wait (LIM-6, `max_server_backlog`).
        shed: called, once the event loop comes to it, where more wait.

    Attributes:
        bytes: the bytes.
    """

    def __init__(self, limit: Callable[[], int], shed: Callable[[], None]) -> None:
        self.bytes = 0
        self._limit = limit
        self._shed = shed
        self._queues: dict[int, int] = {}
        self._shedding = False

    @property
    def over(self) -> bool:
        """Whether more wait than may."""
        return self.bytes > self._limit()

    def add(self, message: Message) -> None:
        key = id(message)  # it lives as long as it waits
        queues = self._queues.get(key, 0)
        self._queues[key] = queues + 1
        self.bytes += OVERHEAD + (0 if queues else message.size)
        if not self._shedding and self.over:
            self._shedding = True
            asyncio.get_running_loop().call_soon(self._relieve)

    def remove(self, message: Message) -> None:
        key = id(message)
        queues = self._queues[key] - 1
        self.bytes -= OVERHEAD
        if queues:
            self._queues[key] = queues
        else:
            del self._queues[key]
            self.bytes -= message.size

    def _relieve(self) -> None:
        self._shedding = False
        self._shed()
