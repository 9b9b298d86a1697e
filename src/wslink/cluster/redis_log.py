"""A log in Redis or Valkey: a stream."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis

from wslink.cluster.broker import MAX_BYTES, MAX_RECORDS, WAIT

TIMEOUT = 4.0
"""Seconds after which a server that does not respond counts as away."""
BATCH = 512
PACE = 0.002
"""Seconds between two reads, which cost ten times what a record does: records that follow each other come together."""
STALE = 60.0
"""Seconds after which nobody reads a record any more: who stood still for so long counts as dead."""
STEP = 1024 * 1024
"""Bytes of records between those that are remembered as places to trim the stream at."""


class Weight:
    """The bytes of the stream's newest records, as one worker has read them: Redis can only limit their number.

    Attributes:
        oldest: the id of the oldest record to keep; None while nothing has to be trimmed.
    """

    def __init__(self) -> None:
        self.oldest: bytes | None = None
        self._steps: deque[tuple[bytes, int]] = deque()
        self._whole = self._step = 0

    def begin(self, newest: bytes) -> None:
        """A worker has started that reads what follows this record."""
        at = int(newest.partition(b"-")[0]) - int(STALE * 1000)
        self.oldest = b"%d-0" % at if at > 0 else None

    def add(self, entries: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> None:
        """These records were read."""
        for id_, fields in entries:
            self._step += len(fields[b"r"])
            if self._step >= STEP:
                self._steps.append((id_, self._step))
                self._whole, self._step = self._whole + self._step, 0
        while self._whole > MAX_BYTES and len(self._steps) > 1:
            self.oldest, size = self._steps.popleft()
            self._whole -= size


class RedisLog:
    """See cluster.broker.Broker.

    Args:
        url: as redis-py accepts it.
        name: of the application.
    """

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        self.name: str = f"redis://{parts.hostname}:{parts.port or 6379}"
        self._url = url
        self._key = f"wslink:{name}:log"
        self._client: Any = None
        self._last: bytes | None = None
        self._weight = Weight()
        self._found = 0.0
        """When the last read ended."""

    async def open(self) -> None:
        if self._client is None:
            timeouts: dict[str, Any] = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
            self._client = redis.Redis.from_url(self._url, retry_on_timeout=False, **timeouts)
        if self._last is None:
            newest = await self._client.xrevrange(self._key, count=1)
            self._last = last = newest[0][0] if newest else b"0-0"
            self._weight.begin(last)

    async def append(self, records: Sequence[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for record in records:
            pipeline.xadd(self._key, {b"r": record}, maxlen=MAX_RECORDS, approximate=True)
        oldest, self._weight.oldest = self._weight.oldest, None
        if oldest is not None:  # servers before 6.2 do not support it, which must not cause a retry
            pipeline.xtrim(self._key, minid=oldest, approximate=True)
        for result in (await pipeline.execute(raise_on_error=False))[: len(records)]:
            if isinstance(result, Exception):
                raise result

    async def read(self) -> Sequence[bytes]:
        early = self._found + PACE - time.monotonic()
        if early > 0:
            await asyncio.sleep(early)
        wait = int(WAIT * 1000)
        found = await self._client.xread({self._key: self._last}, count=BATCH, block=wait)
        self._found = time.monotonic()
        if not found:
            return ()
        entries = next(iter(found.values()))[0] if isinstance(found, dict) else found[0][1]
        self._last = entries[-1][0]
        self._weight.add(entries)
        return [fields[b"r"] for _, fields in entries]

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
