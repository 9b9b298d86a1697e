"""What a connection costs: to make, and to keep."""

from __future__ import annotations

import asyncio
import resource

from benchmarks.load import Client, clients
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, RAW, RELEASED, Metric, Workload

IDLE, HELLOS = 2_000, 60
WINDOWS = 8
"""Short stretches, of which the cheapest counts: other work on the machine disturbs some of them."""


async def idle(server: Server) -> dict[str, float]:
    async with clients(server.url, server.peer.dialect, 50):  # what the first connections load stays out of the count
        pass
    before = server.memory()
    async with clients(server.url, server.peer.dialect, IDLE):
        return {"kib": (server.memory() - before) / IDLE / 1024}


async def hello(server: Server) -> dict[str, float]:
    dialect = server.peer.dialect
    async with clients(server.url, dialect, 50):
        pass
    costs = []
    for _ in range(WINDOWS):
        before = server.cpu()
        opened = [await Client.open(server.url, dialect) for _ in range(HELLOS)]
        costs.append((server.cpu() - before) / HELLOS * 1e6)
        for client in opened:
            client.transport.disconnect(graceful=False)
        await asyncio.sleep(0.1)
    return {"cpu_us": min(costs)}


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
PEERS = (*RAW, *OURS, *FALLBACK, *RELEASED)
WORKLOADS = (
    Workload(
        "idle",
        f"{IDLE} idle connections",
        (*RAW[1:], *OURS, *FALLBACK[1:], *RELEASED),
        (Metric("kib", "KiB each", targets=(("", 12.0),)),),
        idle,
        rounds=1,
    ),
    Workload("hello", "connect and hello", PEERS, (Metric("cpu_us", "server us", targets=(("2.6.0", 0.65),)),), hello),
)
