"""Frames and calls on a slow line: how old what is on the screen is, and how long a small call takes beside them."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from benchmarks import environments
from benchmarks.frames import HEADER, Flowing
from benchmarks.line import Line
from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.servers import common
from benchmarks.workload import Load, Metric, Window

FRAME, RATE = 200_000, 60
CALLBACK = 0.005
"""Seconds that the page takes for a frame."""
SECONDS, WARM = 10.0, 2.0
"""How long frames are published, and how much of that is not counted."""
EVERY = 0.1
"""Seconds between small calls."""
BULK = 64 * 1024 * 1024
BUFFER = 256 * 1024
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
        self._results: dict[str, asyncio.Future[None]] = {}
        client.on_message = self._message

    def call(self, method: str, *args: object) -> asyncio.Future[None]:
        """Call a method; done when its response is complete."""
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
        tail = bytes(payload[-SMALL:])
        place = tail.rfind(common.MARK, 0, len(tail) - 8)
        if place >= 0:
            self._busy = max(now, self._busy) + CALLBACK
            self.ages.append((self._busy, self._busy - common.STAMP.unpack_from(tail, place)[1]))
            self._settle_at(self._busy)
        elif len(payload) <= SMALL and HEADER.unpack_from(payload)[1] == 0:
            self._response(msgspec.msgpack.decode(payload[HEADER.size :])["id"])

    def _settle_at(self, done: float) -> None:
        dialect = self._client.dialect
        if isinstance(dialect, Flowing):
            self._frames += 1
            frame = dialect.settled(self._frames, int(CALLBACK * 1000))
            asyncio.get_running_loop().call_at(done, self._client.send, [frame])

    async def begin(self) -> None:
        """Subscribe, where that is explicit."""
        dialect = self._client.dialect
        if isinstance(dialect, Flowing):
            response = self._results["system:subscribe:1"] = asyncio.get_running_loop().create_future()
            self._client.send(dialect.subscribe(common.TOPIC))
            await response

    def _response(self, id_: str) -> None:
        if (call := self._results.pop(id_, None)) is not None and not call.done():
            call.set_result(None)


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


@asynccontextmanager
async def beside_frames(server: Server, rate: float, delay: float) -> AsyncIterator[Window]:
    async with on_a_line(server, rate, delay) as (client, line):

        async def window() -> dict[str, float]:
            page = Page(client)
            await page.begin()
            begun = time.monotonic()
            page.call("bench.frames", FRAME, RATE, SECONDS)
            await asyncio.sleep(WARM)
            carried = line.carried()[0]
            await page.probe(SECONDS - WARM)
            used = (line.carried()[0] - carried) * 8 / rate / (time.monotonic() - begun - WARM)
            ages = [age for done, age in page.ages if WARM <= done - begun <= SECONDS]
            return {
                "age_p50": percentile(ages, 50),
                "age_p95": percentile(ages, 95),
                "call_p99": percentile(page.trips, 99),
                "used": used,
                "shown": len(ages) / (SECONDS - WARM),
                "connected": min(client.ended or float("inf"), begun + SECONDS) - begun,
            }

        yield window


@asynccontextmanager
async def beside_result(server: Server, rate: float, delay: float) -> AsyncIterator[Window]:
    async with on_a_line(server, rate, delay) as (client, _):

        async def window() -> dict[str, float]:
            page, begun, before = Page(client), time.monotonic(), client.bytes
            page.call("bench.binary", BULK)
            await asyncio.sleep(0.5)
            while client.bytes - before < BULK:
                await page.trip()
                await asyncio.sleep(EVERY)
            return {"call_p99": percentile(page.trips, 99), "used": BULK * 8 / rate / (time.monotonic() - begun)}

        yield window


@asynccontextmanager
async def beside_argument(server: Server, rate: float, delay: float) -> AsyncIterator[Window]:
    """What our Python client measures (uploading.py), whoever serves."""
    with Line(server.port, rate=rate, delay=delay, buffer=BUFFER) as line:
        url = server.url.replace(str(server.port), str(line.port))

        async def window() -> dict[str, float]:
            command = [environments.python("ours"), "-m", "benchmarks.uploading", url, str(BULK)]
            client = await asyncio.create_subprocess_exec(*command, cwd=environments.ROOT, stdout=subprocess.PIPE)
            found = msgspec.json.decode((await client.communicate())[0])
            return {"call_p99": percentile(found["trips"], 99), "used": BULK * 8 / rate / found["seconds"]}

        yield window


PEERS = ("ours flow", "ours v2", "compat v2", "2.6.0")
CALL = Metric("call_p99", "ms of a small call beside it, p99", "wall", targets=(("", 140),))
USED = Metric("used", "share of the line that is used", "throughput", True)


def frames(name: str, megabits: int, delay: float, bound: float) -> Load:
    return Load(
        name=name, title=f"{FRAME // 1000} KB at {RATE} Hz on {megabits} Mbit/s, {delay * 2e3:.0f} ms", peers=PEERS,
        metrics=(
            Metric("age_p50", "ms of age when the page is done, p50", "wall"),
            Metric("age_p95", "the same, p95", "wall", targets=(("", bound),)),
            CALL, USED,
            Metric("shown", "frames per second", "throughput", True),
            Metric("connected", f"seconds of {SECONDS:.0f} connected", "exact", True, (("", SECONDS - 0.01),)),
        ),
        ready=lambda s: beside_frames(s, megabits * 1e6, delay),
        arguments=("--delivery=latest", f"--hold={FRAME}"), windows=1, restart=True,
    )  # fmt: skip


WORKLOADS = (
    frames("flow-20m", 20, 0.04, 300),
    frames("flow-5m", 5, 0.05, 600),
    Load(
        name="flow-bulk", title="64 MiB result on 20 Mbit/s, 80 ms", peers=PEERS, metrics=(CALL, USED),
        ready=lambda s: beside_result(s, 20e6, 0.04), arguments=(f"--hold={BULK}",), windows=1, restart=True,
    ),
    Load(
        name="flow-upload", title="64 MiB argument on 20 Mbit/s, 80 ms, Python client", peers=("ours flow", "2.6.0"),
        metrics=(CALL, USED), ready=lambda s: beside_argument(s, 20e6, 0.04), windows=1, restart=True,
    ),
)  # fmt: skip
