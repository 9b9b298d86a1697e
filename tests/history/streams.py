"""Streams in both directions over any road: read to their end, left, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import wslink
from tests.history.filling import filled
from wslink import App

SIZE = 3_000
PATIENCE = 5.0
"""Seconds after which a stream that was left still runs."""


class Streams:
    """Methods with streams, which remember that they have ended.

    Args:
        app: the server's.
    """

    def __init__(self, app: App) -> None:
        self._ended: list[str] = []
        for name in ("count", "collect", "double", "ended"):
            app.method(f"streams.{name}")(getattr(self, name))

    async def count(self, name: str, items: int) -> AsyncIterator[list[Any]]:
        try:
            for number in range(items):
                yield [number, filled(number, SIZE)]
        finally:
            self._ended.append(name)

    async def collect(self, name: str, parts: AsyncIterator[bytes], enough: int) -> int:
        total = 0
        try:
            async for part in parts:
                total += len(part)
                if total >= enough:
                    break
            return total
        finally:
            self._ended.append(name)

    async def double(self, values: AsyncIterator[int]) -> AsyncIterator[int]:
        async for value in values:
            yield 2 * value

    def ended(self) -> list[str]:
        return self._ended


class Source:
    """What is streamed to a method; `closed` is set once nobody reads it any more, `far` once some of it was read."""

    def __init__(self, items: int) -> None:
        self.closed = asyncio.Event()
        self.far = asyncio.Event()
        self._items = items

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self._items):
                if number == 100:
                    self.far.set()
                yield filled(number, SIZE)
        finally:
            self.closed.set()


async def check(url: str) -> None:
    """Use every kind of stream over a road; page/streams.mjs is the same in a page."""
    async with wslink.connect(url, secret="history") as link:
        items = [item async for item in link.stream("streams.count", "whole", 500)]
        assert items == [[number, filled(number, SIZE)] for number in range(500)]
        assert await link.call("streams.collect", "upload", Source(1_000), 10**9) == 1_000 * SIZE
        assert [value async for value in link.stream("streams.double", _numbers(300))] == list(range(0, 600, 2))

        async for number, _ in link.stream("streams.count", "left", 10**9):
            if number == 5:
                break
        await _until_ended(link, "left")

        endless = Source(10**9)
        assert await link.call("streams.collect", "enough", endless, 100 * SIZE) == 100 * SIZE
        await asyncio.wait_for(endless.closed.wait(), PATIENCE)

        endless = Source(10**9)
        upload = asyncio.create_task(link.call("streams.collect", "cancelled", endless, 10**12))
        await asyncio.wait_for(endless.far.wait(), PATIENCE)
        upload.cancel()
        await asyncio.wait({upload})
        assert upload.cancelled()
        await asyncio.wait_for(endless.closed.wait(), PATIENCE)
        await _until_ended(link, "cancelled")


async def _numbers(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def _until_ended(link: wslink.Link, name: str) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE
    while name not in await link.call("streams.ended"):
        assert asyncio.get_running_loop().time() < end, f"{name} has not ended"
        await asyncio.sleep(0.01)
