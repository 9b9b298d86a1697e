"""A log within this process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from wslink.cluster.broker import WAIT, Broker
from wslink.waiting import within


class MemoryBroker:
    """A log within this process, for tests of several Apps.

    Attributes:
        away: whether it is unreachable.
        forgets: how many of the next records are lost.
    """

    def __init__(self) -> None:
        self.away: bool = False
        self.forgets: int = 0
        self.logs: list[MemoryLog] = []

    def connect(self) -> Broker:
        """Create a worker's end."""
        return MemoryLog(self)


class MemoryLog:
    """See cluster.broker.Broker.

    Attributes:
        held: whether its worker is stalled.
    """

    name = "memory"

    def __init__(self, broker: MemoryBroker) -> None:
        self.held: bool = False
        self._broker = broker
        self._records: deque[bytes] = deque()
        self._news = asyncio.Event()

    async def open(self) -> None:
        self._check()
        if self not in self._broker.logs:
            self._broker.logs.append(self)

    async def append(self, records: Sequence[bytes]) -> None:
        await self._pass()
        self._check()
        lost = min(self._broker.forgets, len(records))
        self._broker.forgets -= lost
        for log in self._broker.logs:
            log.take(records[lost:])

    def take(self, records: Sequence[bytes]) -> None:
        """Add records for the next `read`."""
        self._records.extend(records)
        self._news.set()

    async def read(self) -> Sequence[bytes]:
        self._check()
        if not self._records:
            self._news.clear()
            try:
                await within(self._news.wait(), WAIT)
            except asyncio.TimeoutError:
                return ()
        await self._pass()
        self._check()
        records, self._records = tuple(self._records), deque()
        return records

    async def close(self) -> None:
        if self in self._broker.logs:
            self._broker.logs.remove(self)

    async def _pass(self) -> None:
        while self.held:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)

    def _check(self) -> None:
        if self._broker.away:
            raise ConnectionError("the broker is away")
