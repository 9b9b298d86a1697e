"""What a connection costs: to make, and to keep."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.workload import OURS, RAW, RELEASED, Load, Metric, Window

IDLE, HELLOS = 2_000, 60
WARM = 50
"""Connections whose cost is not counted: what the first ones load stays."""


@asynccontextmanager
async def idle(server: Server) -> AsyncIterator[Window]:
    async def window() -> dict[str, float]:
        before = server.memory()
        async with clients(server.url, server.peer.dialect, IDLE):
            return {"kib": (server.memory() - before) / IDLE / 1024}

    async with clients(server.url, server.peer.dialect, WARM):
        pass
    yield window


@asynccontextmanager
async def hello(server: Server) -> AsyncIterator[Window]:
    async def window() -> dict[str, float]:
        before = server.cpu()
        opened = [await Client.open(server.url, server.peer.dialect) for _ in range(HELLOS)]
        cost = (server.cpu() - before) / HELLOS * 1e6
        for client in opened:
            client.transport.disconnect(graceful=False)
        await asyncio.sleep(0.05)
        return {"cpu_us": cost}

    yield window


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
WORKLOADS = (
    Load(
        name="idle", title=f"{IDLE} idle connections", peers=(RAW[1], *OURS, *RELEASED),
        metrics=(Metric("kib", "KiB each", "memory", targets=(("", 12.0),)),), ready=idle, windows=1, restart=True,
    ),
    Load(
        name="hello", title="connect and hello", peers=(*RAW, *OURS, *RELEASED),
        metrics=(Metric("cpu_us", "server us", targets=(("2.6.0", 0.65),), watched=("raw",)),), ready=hello,
    ),
)  # fmt: skip
