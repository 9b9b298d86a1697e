"""A large binary argument of a call."""

from __future__ import annotations

import asyncio
import os

from benchmarks.load import clients
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, RAW, RELEASED, Metric, Workload

SIZE, COUNT = 8 * 1024 * 1024, 30


async def from_one(server: Server) -> dict[str, float]:
    dialect = server.peer.dialect
    frames = dialect.call("bench.take", [os.urandom(SIZE)])
    async with clients(server.url, dialect, 1) as (client,):
        idle = server.memory()
        server.reset_peak()
        loop = asyncio.get_running_loop()
        client.send(frames)
        await client.wait(client.messages + 1)
        start, cpu, done = loop.time(), server.cpu(), client.messages
        for index in range(COUNT):
            client.send(frames)
            await client.wait(done + index + 1)
        seconds, cpu = loop.time() - start, server.cpu() - cpu
        return {
            "mb_per_s": SIZE * COUNT / seconds / 1e6,
            "cpu_us_per_mb": cpu * 1e6 / (SIZE * COUNT / 1e6),
            "peak_ratio": (server.peak_memory() - idle) / SIZE,
        }


WORKLOADS = (
    Workload(
        "upload-8m-1", "8 MiB from 1 client", (*RAW, *OURS, *FALLBACK, *RELEASED),
        (
            Metric("mb_per_s", "MB/s", higher_is_better=True, targets=(("raw", 0.9),)),
            Metric("cpu_us_per_mb", "server us per MB"),
            Metric("peak_ratio", "peak memory over idle, in messages", targets=(("", 1.5),)),
        ),
        from_one, environment={"WSLINK_MAX_MSG_SIZE": str(16 * 1024 * 1024)},
    ),
)  # fmt: skip
