"""A stream of frames to a healthy client, beside clients that have stopped reading."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.workload import OURS, RELEASED, Load, Metric, Window

SIZE, RATE, FRAMES = 1_000_000, 30, 150
BESIDE = 8
"""MB that the server may take beside one frame for each client."""


@asynccontextmanager
async def beside(server: Server, stalled: int) -> AsyncIterator[Window]:
    dialect = server.peer.dialect
    async with clients(server.url, dialect, stalled) as asleep, clients(server.url, dialect, 1) as (client,):
        for sleeper in asleep:
            sleeper.transport.underlying_transport.pause_reading()

        async def window() -> dict[str, float]:
            idle = server.memory()
            server.reset_peak()
            loop = asyncio.get_running_loop()
            times: list[float] = []
            client.on_message = lambda payload: times.append(loop.time())
            before, cpu = client.messages, server.cpu()
            client.send(dialect.call("bench.stream", [SIZE, RATE, FRAMES]))
            await _settle(client, before, FRAMES + 1)
            gaps = [after - before for before, after in itertools.pairwise(times)]
            return {
                "frames": min(client.messages - before, FRAMES),
                "gap": max(gaps, default=99.0) * RATE,
                "memory_mb": (server.peak_memory() - idle) / 1e6,
                "cpu_s": server.cpu() - cpu,
            }

        yield window


async def _settle(client: Client, before: int, wanted: int) -> None:
    """Wait for all frames, or for the time that they should have taken and a little more."""
    deadline = asyncio.get_running_loop().time() + FRAMES / RATE + 2
    while client.messages < before + wanted and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)


def workload(stalled: int) -> Load:
    bound = (stalled + 1) * SIZE / 1e6 + BESIDE
    return Load(
        name=f"stalled-{stalled}", title=f"{RATE} Hz of 1 MB beside {stalled} stalled", peers=(*OURS, *RELEASED),
        metrics=(
            Metric("frames", f"frames of {FRAMES} that the healthy client got", "exact", True, (("", FRAMES),)),
            Metric("gap", "largest gap, in frame times", "wall", targets=(("", 2.0),)),
            Metric("memory_mb", "memory over idle, MB", "memory", targets=(("", bound),)),
            Metric("cpu_s", "server seconds"),
        ),
        ready=lambda s: beside(s, stalled), arguments=("--delivery=latest",), windows=2, restart=True,
    )  # fmt: skip


WORKLOADS = (workload(1), workload(50))
