"""Small calls: three numbers in, their sum out."""

from __future__ import annotations

import asyncio

from benchmarks.load import clients, pump
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, RAW, RELEASED, Metric, Workload

METRIC = Metric("cpu_us", "server us per call", targets=(("raw", 1.4), ("2.6.0", 0.45)))
CALLS = 3_000
WINDOWS = 8
"""Short stretches, of which the cheapest counts: other work on the machine disturbs some of them."""


async def calls(server: Server, connections: int, in_flight: int) -> dict[str, float]:
    dialect = server.peer.dialect
    frames = dialect.call("bench.add", [1, 2, 3])
    async with clients(server.url, dialect, connections) as opened:
        share = CALLS // connections
        costs = []
        for _ in range(WINDOWS):
            before = server.cpu()
            await asyncio.gather(*(pump(client, frames, in_flight, share) for client in opened))
            costs.append((server.cpu() - before) / (share * connections) * 1e6)
        return {"cpu_us": min(costs[1:])}


PEERS = (*RAW, *OURS, *FALLBACK, *RELEASED, "socket.io", "aiohttp", "websockets")
WORKLOADS = (
    Workload("call-1x50", "small call, 1 connection, 50 in flight", PEERS, (METRIC,), lambda s: calls(s, 1, 50)),
    Workload("call-50x2", "small call, 50 connections, 2 in flight", PEERS, (METRIC,), lambda s: calls(s, 50, 2)),
)
