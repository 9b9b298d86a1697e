"""Clients whose calls publish faster than others take it (TURN-2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from wslink.hub.shares import share
from wslink.wire.limits import Limits

PATIENCE = 10.0
"""Seconds after which what a client has published is forgotten, however much still waits."""


class PublishingSession(Protocol):
    """The session of a client whose calls publish."""

    def full(self) -> None:
        """Take nothing further from it."""

    def room(self) -> None:
        """Something may be taken from it again."""


class Waiting(Protocol):
    """What waits for the clients of a server (session.send_queue.QueueLedger)."""

    bytes: int
    queues: int


class Publishers:
    """Holds up clients that have published more than their share while more than `max_server_outbox` waits for all.

    Args:
        waiting: what waits.
        limits: gives that limit.

    Attributes:
        any: whether any have published since more waits than that.
    """

    def __init__(self, waiting: Waiting, limits: Callable[[], Limits]) -> None:
        self._waiting = waiting
        self._limits = limits
        self.any: bool = False
        self._published: dict[PublishingSession, int] = {}
        self._end: asyncio.Handle | None = None

    def add(self, publisher: PublishingSession, size: int) -> None:
        """For what a call of a client has published, `size` bytes more wait."""
        if self._waiting.bytes <= self._limits().max_server_outbox:
            return
        if self._end is None:
            self.any = True
            self._end = asyncio.get_running_loop().call_later(PATIENCE, self._release)
        self._published[publisher] = self._published.get(publisher, 0) + size
        if self.holds_up(publisher):
            publisher.full()

    def holds_up(self, publisher: PublishingSession) -> bool:
        """Whether nothing further is taken from a client."""
        limits, published = self._limits(), self._published.get(publisher, 0)
        holders = self._waiting.queues + len(self._published)
        return published > share(self._waiting.bytes, holders, limits.max_outbox, limits.max_server_outbox)

    def look(self) -> None:
        """Less waits than before."""
        if self._end is not None and self._waiting.bytes <= self._limits().max_server_outbox:
            self.any = False
            self._end.cancel()
            self._end = asyncio.get_running_loop().call_soon(self._release)  # not amid what a queue does

    def _release(self) -> None:
        published, self._published, self._end, self.any = self._published, {}, None, False
        for publisher in published:
            publisher.room()
