"""Frames and calls on a slow line: how old what is on the screen is, and how long a small call takes beside them."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from benchmarks import environments
from benchmarks.line import Line
from benchmarks.pages import BUFFER, CALLBACK, EVERY, Page, on_a_line, percentile
from benchmarks.process import Server
from benchmarks.servers import common
from benchmarks.servers.common import SECRET
from benchmarks.workload import Load, Metric, Window

FRAME, RATE = 200_000, 60
SECONDS, WARM = 10.0, 2.0
"""How long frames are published, and how much of that is not counted."""
MIB = 1024 * 1024
NODE = environments.ROOT / "benchmarks" / "decode" / "frames.mjs"
BEFORE = 0.05
"""Seconds from there to the first small call beside it."""


@asynccontextmanager
async def beside_frames(
    server: Server, rate: float, delay: float, method: str = "bench.frames", size: int = FRAME
) -> AsyncIterator[Window]:
    """Frames for SECONDS: published, or rendered on demand while the scene turns."""
    on_demand = method == "bench.turn"
    async with on_a_line(server, rate, delay) as (client, line):

        async def window() -> dict[str, float]:
            page = Page(client)
            await page.begin("bench.view" if on_demand else common.TOPIC)
            begun = time.monotonic()
            page.call(method, size, RATE, SECONDS)
            await asyncio.sleep(WARM)
            carried, rendered = line.carried()[0], await page.call("bench.renders") if on_demand else 0
            shown = len(page.ages)
            await page.probe(SECONDS - WARM)
            used = (line.carried()[0] - carried) * 8 / rate / (time.monotonic() - begun - WARM)
            rendered = await page.call("bench.renders") - rendered if on_demand else RATE * (SECONDS - WARM)
            ages = [age for done, age in page.ages if WARM <= done - begun <= SECONDS]
            return {
                "renders": rendered / max(len(page.ages) - shown, 1),
                "age_p50": percentile(ages, 50),
                "age_p95": percentile(ages, 95),
                "call_p99": percentile(page.trips, 99),
                "used": used,
                "shown": len(ages) / (SECONDS - WARM),
                "connected": min(client.ended or float("inf"), begun + SECONDS) - begun,
            }

        yield window


@asynccontextmanager
async def beside_result(server: Server, size: int, rate: float, delay: float) -> AsyncIterator[Window]:
    async with on_a_line(server, rate, delay) as (client, _):

        async def window() -> dict[str, float]:
            page, begun, before = Page(client), time.monotonic(), client.bytes
            page.call("bench.binary", size)
            await asyncio.sleep(BEFORE)
            calls = set()
            while client.bytes - before < size:
                calls.add(asyncio.create_task(page.trip()))
                await asyncio.sleep(EVERY)
            seconds = time.monotonic() - begun
            await asyncio.wait(calls)
            return {
                "call_p50": percentile(page.trips, 50),
                "call_p99": percentile(page.trips, 99),
                "used": size * 8 / rate / seconds,
            }

        yield window


@asynccontextmanager
async def beside_argument(server: Server, size: int, rate: float, delay: float) -> AsyncIterator[Window]:
    """What our Python client measures (uploading.py), whoever serves."""
    with Line(server.port, rate=rate, delay=delay, buffer=BUFFER) as line:
        url = server.url.replace(str(server.port), str(line.port))

        async def window() -> dict[str, float]:
            command = [environments.python("ours"), "-m", "benchmarks.uploading", url, str(size)]
            client = await asyncio.create_subprocess_exec(*command, cwd=environments.ROOT, stdout=subprocess.PIPE)
            found = msgspec.json.decode((await client.communicate())[0])
            return {
                "call_p50": percentile(found["trips"], 50),
                "call_p99": percentile(found["trips"], 99),
                "used": size * 8 / rate / found["seconds"],
            }

        yield window


@asynccontextmanager
async def to_npm(server: Server, rate: float, delay: float) -> AsyncIterator[Window]:
    """Frames that are published, to the released npm client in Node."""
    environments.javascript()
    with Line(server.port, rate=rate, delay=delay, buffer=BUFFER) as line:
        url = server.url.replace(str(server.port), str(line.port))

        async def window() -> dict[str, float]:
            numbers = map(str, (FRAME, RATE, SECONDS, CALLBACK))
            client = await asyncio.create_subprocess_exec("node", NODE, url, SECRET, *numbers, stdout=subprocess.PIPE)
            found = msgspec.json.decode((await client.communicate())[0])
            ages = [age for done, age in found["ages"] if done >= WARM]
            return {
                "age_p50": percentile(ages, 50),
                "age_p95": percentile(ages, 95),
                "call_p99": percentile([took for start, took in found["trips"] if start >= WARM], 99),
                "shown": len(ages) / (SECONDS - WARM),
            }

        yield window


PEERS = ("ours flow", "ours v2", "compat v2", "2.6.0")
ON_DEMAND = ("ours flow", "ours v2")
AGE = Metric("age_p50", "ms of age when the page is done, p50", "wall")
CALL = Metric("call_p99", "ms of a small call beside it, p99", "wall", targets=(("", 140),))
NO_TARGET = Metric("call_p99", "ms of a small call beside it, p99", "wall")
BESIDE = {"20m": CALL, "5m": NO_TARGET}
TYPICAL = Metric("call_p50", "ms of a small call beside it, p50", "wall")
USED = Metric("used", "share of the line that is used", "throughput", True)
CONNECTED = Metric("connected", f"seconds of {SECONDS:.0f} connected", "exact", True, (("", SECONDS - 0.01),))


def aged(bound: float) -> Metric:
    return Metric("age_p95", "ms of age when the page is done, p95", "wall", targets=(("", bound),))


def shown(bound: float | None = None) -> Metric:
    return Metric("shown", "frames per second", "throughput", True, (("", bound),) if bound else ())


def used(bound: float) -> Metric:
    return Metric("used", "share of the line that is used", "throughput", True, (("", bound),))


LINES = {"20m": (20e6, 0.04, "20 Mbit/s, 80 ms"), "5m": (5e6, 0.05, "5 Mbit/s, 100 ms")}


def frames(line: str, bound: float, least: float) -> Load:
    rate, delay, words = LINES[line]
    return Load(
        name=f"flow-{line}", title=f"{FRAME // 1000} KB published at {RATE} Hz on {words}", peers=PEERS,
        metrics=(AGE, aged(bound), BESIDE[line], used(least), shown(), CONNECTED),
        ready=lambda s: beside_frames(s, rate, delay),
        arguments=("--delivery=latest", f"--hold={FRAME}"), windows=1, restart=True,
    )  # fmt: skip


def on_demand(line: str, bound: float) -> Load:
    rate, delay, words = LINES[line]
    return Load(
        name=f"demand-{line}", title=f"{FRAME // 1000} KB on demand on {words}", peers=ON_DEMAND,
        metrics=(
            AGE, aged(bound), BESIDE[line], USED, shown(), CONNECTED,
            Metric("renders", "renders per frame shown", "exact", targets=(("", 1.2),)),
        ),
        ready=lambda s: beside_frames(s, rate, delay, "bench.turn"),
        arguments=("--on-demand", "--delivery=latest", f"--hold={FRAME}"), windows=1, restart=True,
    )  # fmt: skip


def by_quality(line: str, bound: float, least: float | None) -> Load:
    rate, delay, words = LINES[line]
    return Load(
        name=f"quality-{line}", title=f"JPEG on demand, by quality, on {words}", peers=("ours flow",),
        metrics=(AGE, aged(bound), BESIDE[line], USED, shown(least), CONNECTED),
        ready=lambda s: beside_frames(s, rate, delay, "bench.turn", 0),
        arguments=("--on-demand",), windows=1, restart=True,
    )  # fmt: skip


def result(mib: int, peers: tuple[str, ...]) -> Load:
    return Load(
        name="flow-bulk" if mib < 1024 else "flow-bulk-1g", title=f"{mib:,} MiB result on 20 Mbit/s, 80 ms",
        peers=peers, metrics=(TYPICAL, CALL, used(0.9)), ready=lambda s: beside_result(s, mib * MIB, 20e6, 0.04),
        arguments=(f"--hold={mib * MIB}",), windows=1, restart=True, only_named=mib >= 1024,
    )  # fmt: skip


def argument(mib: int, peers: tuple[str, ...]) -> Load:
    return Load(
        name="flow-upload" if mib < 1024 else "flow-upload-1g", peers=peers,
        title=f"{mib:,} MiB argument on 20 Mbit/s, 80 ms, Python client", metrics=(TYPICAL, CALL, used(0.9)),
        ready=lambda s: beside_argument(s, mib * MIB, 20e6, 0.04), windows=1, restart=True, only_named=mib >= 1024,
    )  # fmt: skip


WORKLOADS = (
    frames("20m", 300, 0.85),
    frames("5m", 600, 0.85),
    on_demand("20m", 250),
    by_quality("20m", 200, 24),
    by_quality("5m", 250, None),
    Load(
        name="flow-npm", title=f"{FRAME // 1000} KB published at {RATE} Hz on 20 Mbit/s, 80 ms, npm 2.5.0, --latest",
        peers=("compat v2", "2.6.0"), metrics=(AGE, aged(400), NO_TARGET, shown()),
        ready=lambda s: to_npm(s, 20e6, 0.04), arguments=(f"--hold={FRAME}",), windows=1, restart=True,
        environment={"WSLINK_LATEST": common.TOPIC},
    ),
    result(64, PEERS),
    argument(64, ("ours flow", "2.6.0")),
    result(1024, ("ours flow",)),
    argument(1024, ("ours flow",)),
)  # fmt: skip
