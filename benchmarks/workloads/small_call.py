"""Small calls: three numbers in, their sum out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.load import clients, pump
from benchmarks.process import Server
from benchmarks.workload import OURS, RAW, RELEASED, Load, Metric, Window

CALLS = 2_000
"""In a window."""


@asynccontextmanager
async def calls(server: Server, connections: int, in_flight: int) -> AsyncIterator[Window]:
    dialect = server.peer.dialect
    frames = dialect.call("bench.add", [1, 2, 3])
    share = CALLS // connections
    async with clients(server.url, dialect, connections) as opened:

        async def window() -> dict[str, float]:
            before = server.cpu()
            await asyncio.gather(*(pump(client, frames, in_flight, share) for client in opened))
            return {"cpu_us": (server.cpu() - before) / (share * connections) * 1e6}

        yield window


PEERS = (*RAW, *OURS, *RELEASED, "socket.io", "aiohttp", "websockets")
METRIC = Metric("cpu_us", "server us per call", targets=(("raw", 1.4), ("2.6.0", 0.45)))
WORKLOADS = tuple(
    Load(
        name=f"call-{connections}x{in_flight}",
        title=f"small call, {connections} connection{'s' * (connections > 1)}, {in_flight} in flight",
        peers=PEERS, metrics=(METRIC,), ready=lambda server, c=connections, f=in_flight: calls(server, c, f),
    )
    for connections, in_flight in ((1, 50), (50, 2))
)  # fmt: skip
