"""The backlog of a server: the bytes that wait in the queues of all its clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wslink.session.send_queue import OVERHEAD, Holder
from wslink.wire.frames import Message
from wslink.wire.limits import Limits

LARGE = 64 * 1024
"""Bytes of a buffer that messages which differ in their envelopes share."""


class Backlog:
    """Counts the bytes of messages that wait (session.send_queue.Ledger). A message, or a large buffer of one, that
    waits in many queues counts once, and the message `OVERHEAD` for each.

    Args:
        limits: gives those that count: `max_server_backlog`, of the bytes that may wait (LIM-6), and `max_begun`, of
            the beginnings of messages that may be kept (LIM-18). Beyond that, those that have been kept for longest
            are forgotten, and their senders begin anew.
        shed: called, once the event loop comes to it, where more wait.

    Attributes:
        bytes: the bytes.
        kept: see session.send_queue.Ledger.
    """

    def __init__(self, limits: Callable[[], Limits], shed: Callable[[], None]) -> None:
        self.bytes: int = 0
        self.kept: int = 0
        self._limits = limits
        self._shed = shed
        self._queues: dict[int, int] = {}
        self._shedding = False
        self._begun = 0
        self._holders: dict[Holder, None] = {}

    @property
    def over(self) -> bool:
        """Whether more wait than may."""
        return self.bytes + self.kept > self._limits().max_server_backlog

    def add(self, message: Message) -> None:
        for key, size in _pieces(message):
            queues = self._queues.get(key, 0)
            self._queues[key] = queues + 1
            self.bytes += 0 if queues else size
        self.bytes += OVERHEAD
        self.look()

    def look(self) -> None:
        """Have what is too much taken away, if there is."""
        if not self._shedding and self.over:
            self._shedding = True
            asyncio.get_running_loop().call_soon(self._relieve)

    def remove(self, message: Message) -> None:
        for key, size in _pieces(message):
            queues = self._queues[key] - 1
            if queues:
                self._queues[key] = queues
            else:
                del self._queues[key]
                self.bytes -= size
        self.bytes -= OVERHEAD

    def hold(self, holder: Holder) -> None:
        self._holders[holder] = None
        self._begun += holder.begun
        self.kept += holder.begun
        limit = self._limits().max_begun
        while self._begun > limit:
            next(iter(self._holders)).forget_beginnings()

    def release(self, holder: Holder) -> None:
        del self._holders[holder]
        self._begun -= holder.begun
        self.kept -= holder.begun

    def _relieve(self) -> None:
        self._shedding = False
        self._shed()


def _pieces(message: Message) -> list[tuple[int, int]]:
    """What is counted once, known by an id for as long as the message lives, with its bytes."""
    if message.size < LARGE:
        return [(id(message), message.size)]
    parts = message.source.parts if message.source is not None else [p for frame in message.frames for p in frame.parts]
    large = {id(part): len(part) for part in parts if len(part) >= LARGE}
    return [(id(message), message.size - sum(large.values())), *large.items()]
