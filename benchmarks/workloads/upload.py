"""A large binary argument of a call."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.load import clients
from benchmarks.process import Server
from benchmarks.workload import OURS, RAW, RELEASED, Load, Metric, Window

SIZE, COUNT = 8 * 1024 * 1024, 10
DATA = os.urandom(SIZE)


@asynccontextmanager
async def from_one(server: Server, data: bytes, count: int) -> AsyncIterator[Window]:
    dialect = server.peer.dialect
    frames = dialect.call("bench.take", [data])
    async with clients(server.url, dialect, 1) as (client,):
        idle = server.memory()

        async def window() -> dict[str, float]:
            server.reset_peak()
            loop = asyncio.get_running_loop()
            start, cpu, done = loop.time(), server.cpu(), client.messages
            for index in range(count):
                client.send(frames)
                await client.wait(done + index + 1)
            seconds, cpu = loop.time() - start, server.cpu() - cpu
            return {
                "mb_per_s": len(data) * count / seconds / 1e6,
                "cpu_us_per_mb": cpu * 1e6 / (len(data) * count / 1e6),
                "peak_ratio": (server.peak_memory() - idle) / len(data),
            }

        yield window


WORKLOADS = (
    Load(
        name="upload-8m-1", title="8 MiB from 1 client", peers=(*RAW, *OURS, *RELEASED),
        metrics=(
            Metric("mb_per_s", "MB/s", "throughput", higher_is_better=True, targets=(("raw", 0.9),)),
            Metric("cpu_us_per_mb", "server us per MB", watched=("raw",)),
            Metric("peak_ratio", "peak memory over idle, in messages", "memory", targets=(("", 1.5),)),
        ),
        ready=lambda s: from_one(s, DATA, COUNT), environment={"WSLINK_MAX_MSG_SIZE": str(16 * 1024 * 1024)},
    ),
)  # fmt: skip
