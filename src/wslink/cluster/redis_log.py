"""A log in Redis or Valkey: one stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio as redis

from wslink.cluster.broker import MAX_RECORDS, WAIT

TIMEOUT = 4.0
"""Seconds after which a server that does not respond counts as away."""
BATCH = 512
PACE = 0.002
"""Seconds between two reads, which cost ten times what a record does: records that follow each other come together."""


class RedisLog:
    """See cluster.broker.Broker.

    Args:
        url: as redis-py takes it.
        name: of the application.
    """

    def __init__(self, url: str, name: str) -> None:
        parts = urlsplit(url)
        self.name: str = f"redis://{parts.hostname}:{parts.port or 6379}"
        self._url = url
        self._key = f"wslink:{name}:log"
        self._client: Any = None
        self._last: bytes | None = None
        self._found = 0.0
        """When the last read ended."""

    async def open(self) -> None:
        if self._client is None:
            timeouts: dict[str, Any] = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
            self._client = redis.Redis.from_url(self._url, retry_on_timeout=False, **timeouts)
        if self._last is None:
            newest = await self._client.xrevrange(self._key, count=1)
            self._last = newest[0][0] if newest else b"0-0"

    async def append(self, records: Sequence[bytes]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for record in records:
            pipeline.xadd(self._key, {b"r": record}, maxlen=MAX_RECORDS, approximate=True)
        await pipeline.execute()

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
        return [fields[b"r"] for _, fields in entries]

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
