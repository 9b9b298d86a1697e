"""A simulated page on a slow line: it works off frames one after the other, acknowledges and calls beside them."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from benchmarks.frames import HEADER, Flowing
from benchmarks.line import Line
from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.servers import common

CALLBACK = 0.005
"""Seconds that the page takes for a frame."""
EVERY = 0.1
"""Seconds between small calls."""
BUFFER = 256 * 1024
"""Bytes of the bottleneck's buffer."""
SMALL = 4096
"""A message of at most so many bytes is no frame of a large one."""


class Page:
    """What a page measures: it works off frames one after the other, and calls beside them."""

    def __init__(self, client: Client) -> None:
        self.ages: list[tuple[float, float]] = []
        """When the callback of each frame was done, and the frame's age then, in seconds."""
        self.trips: list[float] = []
        """Round trips of small calls, in seconds."""
        self._client = client
        self._busy = 0.0
        self._calls = 0
        self._frames = 0
        self._results: dict[str, asyncio.Future[Any]] = {}
        client.on_message = self._message
        client.on_part = self._part
        self._ends: dict[int, bytes] = {}
        """The last bytes of messages that are under way, by their numbers: a stamp may be cut in two."""

    def call(self, method: str, *args: object) -> asyncio.Future[Any]:
        """Call a method; done when its response is complete, with its result if that is small."""
        self._calls += 1
        id_ = f"rpc:c0:{self._calls}"
        self._results[id_] = asyncio.get_running_loop().create_future()
        self._client.send(self._client.dialect.call(method, args, id_))
        return self._results[id_]

    async def trip(self) -> None:
        """One small call, which counts with what it has waited where it is cancelled."""
        begun = time.monotonic()
        try:
            await self.call("bench.add", 1, 2, 3)
        finally:
            self.trips.append(time.monotonic() - begun)

    async def probe(self, seconds: float) -> None:
        """Small calls every EVERY seconds, cancelled at the end."""
        until, calls = time.monotonic() + seconds, set()
        while time.monotonic() < until:
            calls.add(asyncio.create_task(self.trip()))
            await asyncio.sleep(EVERY)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)

    def _message(self, payload: memoryview) -> None:
        now = time.monotonic()
        number, offset, _ = HEADER.unpack_from(payload)
        tail = self._ends.pop(number, b"") + bytes(payload[HEADER.size :][-SMALL:])
        place = tail.rfind(common.MARK, 0, len(tail) - 8)
        if place >= 0:
            self._busy = max(now, self._busy) + CALLBACK
            self.ages.append((self._busy, self._busy - common.STAMP.unpack_from(tail, place)[1]))
            self._settle_at(self._busy)
        elif len(payload) <= SMALL and offset == 0:
            self._response(msgspec.msgpack.decode(payload[HEADER.size :]))

    def _part(self, payload: memoryview) -> None:
        self._ends[HEADER.unpack_from(payload)[0]] = bytes(payload[-2 * common.STAMP.size :])

    def _settle_at(self, done: float) -> None:
        dialect = self._client.dialect
        if isinstance(dialect, Flowing):
            self._frames += 1
            frame = dialect.settled(self._frames, int(CALLBACK * 1000))
            asyncio.get_running_loop().call_at(done, self._client.send, [frame])

    async def begin(self, topic: str = common.TOPIC) -> None:
        """Subscribe, where that is explicit."""
        dialect = self._client.dialect
        if isinstance(dialect, Flowing):
            response = self._results["system:subscribe:1"] = asyncio.get_running_loop().create_future()
            self._client.send(dialect.subscribe(topic))
            await response

    def _response(self, message: dict[str, Any]) -> None:
        if (call := self._results.pop(message["id"], None)) is not None and not call.done():
            call.set_result(message.get("result"))


def percentile(values: list[float], percent: int) -> float:
    """In milliseconds; infinity of nothing."""
    if len(values) < 2:
        return max(values, default=float("inf")) * 1e3
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] * 1e3


@asynccontextmanager
async def on_a_line(server: Server, rate: float, delay: float) -> AsyncIterator[tuple[Client, Line]]:
    with Line(server.port, rate=rate, delay=delay, buffer=BUFFER) as line:
        url = server.url.replace(str(server.port), str(line.port))
        async with clients(url, server.peer.dialect, 1) as (client,):
            yield client, line
