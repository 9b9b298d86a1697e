"""A stream of frames to a healthy client, beside clients that have stopped reading."""

from __future__ import annotations

import asyncio
import itertools

from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, RELEASED, Metric, Workload

SIZE, RATE, FRAMES = 1_000_000, 30, 150


async def beside(server: Server, stalled: int) -> dict[str, float]:
    dialect = server.peer.dialect
    async with clients(server.url, dialect, stalled) as asleep, clients(server.url, dialect, 1) as (client,):
        for sleeper in asleep:
            sleeper.transport.underlying_transport.pause_reading()
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


async def _settle(client: Client, before: int, wanted: int) -> None:
    """Wait for all frames, or for the time that they should have taken and a little more."""
    deadline = asyncio.get_running_loop().time() + FRAMES / RATE + 2
    while client.messages < before + wanted and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)


METRICS = (
    Metric("frames", f"frames of {FRAMES} that the healthy client got", higher_is_better=True, targets=(("", FRAMES),)),
    Metric("gap", "largest gap, in frame times", targets=(("", 2.0),)),
    Metric("memory_mb", "MB over idle"),
    Metric("cpu_s", "server seconds"),
)
PEERS = (*OURS, *FALLBACK, *RELEASED)
WORKLOADS = tuple(
    Workload(
        f"stalled-{stalled}", f"30 Hz of 1 MB beside {stalled} stalled", PEERS, METRICS,
        lambda s, stalled=stalled: beside(s, stalled), arguments=("--delivery=latest",), rounds=1,
    )
    for stalled in (1, 50)
)  # fmt: skip
