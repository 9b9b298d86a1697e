"""A fast viewer beside viewers on slow lines."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.load import clients
from benchmarks.pages import Page, on_a_line
from benchmarks.process import Server
from benchmarks.workload import Load, Metric, Window

SIZE, RATE, FRAMES, SLOW = 200_000, 30, 150, 10
LINE, DELAY = 20e6, 0.04
AFTER = 0.5
"""Seconds for the last frame."""


@asynccontextmanager
async def beside_slow(server: Server) -> AsyncIterator[Window]:
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(on_a_line(server, LINE, DELAY)) for _ in range(SLOW)]
        (fast,) = await stack.enter_async_context(clients(server.url, server.peer.dialect, 1))
        pages = [Page(client) for client in (fast, *(client for client, _ in slow))]

        async def window() -> dict[str, float]:
            for page in pages:
                await page.begin()
            begun, cpu = time.monotonic(), server.cpu()
            pages[0].call("bench.frames", SIZE, RATE, FRAMES / RATE)
            await asyncio.sleep(FRAMES / RATE + AFTER)
            times = [done for done, _ in pages[0].ages]
            gaps = [after - before for before, after in itertools.pairwise(times)]
            return {
                "frames": len(times),
                "gap": max(gaps, default=99.0) * RATE,
                "slow": sum(len(page.ages) for page in pages[1:]) / SLOW / (time.monotonic() - begun),
                "cpu_s": server.cpu() - cpu,
            }

        yield window


WORKLOADS = (
    Load(
        name="beside-slow", title=f"{RATE} Hz of {SIZE // 1000} KB beside {SLOW} viewers on 20 Mbit/s, 80 ms",
        peers=("ours flow", "ours v2", "compat v2", "2.6.0"),
        metrics=(
            Metric("frames", f"frames of {FRAMES} that the fast viewer got", "exact", True, (("", FRAMES),)),
            Metric("gap", "largest gap, in frame times", "wall", targets=(("", 2.0),)),
            Metric("slow", "frames per second of a slow viewer", "throughput", True),
            Metric("cpu_s", "server seconds"),
        ),
        ready=beside_slow, arguments=("--delivery=latest", f"--hold={SIZE}"), windows=1, restart=True,
    ),
)  # fmt: skip
