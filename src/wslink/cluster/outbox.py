"""The queue of records to be appended to the log."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable

from wslink.cluster.broker import Broker
from wslink.cluster.records import Draft
from wslink.errors import BrokerError
from wslink.waiting import within

logger: logging.Logger = logging.getLogger("wslink")

BATCH = 512
BATCH_BYTES = 4 * 1024 * 1024
"""Records and bytes that are appended at once."""
LONGEST_PAUSE = 1.0
"""Seconds between tries while the broker is away."""


class Outbox:
    """Appends drafts in the order in which they were put. While the broker is away they wait, up to a limit.

    Args:
        broker: see Broker.
        limit: returns the bytes that may wait (LIM-21, `max_broker_backlog`).
        stamp: creates a record from a draft, with the next number.

    Attributes:
        waiting: the bytes that are waiting.
        trouble: why the broker did not accept the last records; "" if it did.
    """

    def __init__(self, broker: Broker, limit: Callable[[], int], stamp: Callable[[Draft], bytes]) -> None:
        self.waiting: int = 0
        self.trouble: str = ""
        self._broker = broker
        self._limit = limit
        self._stamp = stamp
        self._drafts: deque[Draft] = deque()
        self._lock = threading.RLock()
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def put(self, draft: Draft, must: bool = False) -> None:
        """Queue a draft. May be called from any thread.

        Args:
            must: accept it whatever is waiting: for what workers need to know about each other.

        Raises:
            BrokerError: too much is waiting.
        """
        with self._lock:
            if not must and self.waiting + draft.size > self._limit():
                why = (
                    f"the broker {self._broker.name} is away ({self.trouble})" if self.trouble else "the broker is slow"
                )
                raise BrokerError(f"over max_broker_backlog ({self._limit()} bytes) wait for other workers: {why}")
            self._drafts.append(draft)
            self.waiting += draft.size
        if threading.get_ident() == self._thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def __len__(self) -> int:
        """The number of drafts without a number."""
        return len(self._drafts)

    def _wake(self) -> None:
        self._empty.clear()
        self._news.set()

    async def run(self) -> None:
        """Append what is put, for ever."""
        while True:
            batch = self._take()
            if not batch:
                self._empty.set()
                self._news.clear()
                await self._news.wait()
                continue
            await self._append([self._stamp(draft) for draft in batch])
            with self._lock:
                self.waiting -= sum(draft.size for draft in batch)

    def _take(self) -> list[Draft]:
        batch: list[Draft] = []
        with self._lock:
            size = 0
            while self._drafts and len(batch) < BATCH and (not batch or size + self._drafts[0].size <= BATCH_BYTES):
                batch.append(self._drafts.popleft())
                size += batch[-1].size
        return batch

    async def _append(self, records: list[bytes]) -> None:
        pause = 0.05
        while True:
            try:
                await self._broker.append(records)
                break
            except Exception as error:
                if not self.trouble:
                    logger.warning("the broker %s is away: %s", self._broker.name, words(error))
                self.trouble = words(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
        if self.trouble:
            logger.warning("the broker %s is back", self._broker.name)
            self.trouble = ""

    async def flush(self, timeout: float) -> bool:
        """Wait until nothing is waiting. Returns whether that was achieved within `timeout` seconds."""
        try:
            await within(self._empty.wait(), timeout)
        except asyncio.TimeoutError:
            return False
        return True


def words(error: Exception) -> str:
    """A readable description of an error."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
