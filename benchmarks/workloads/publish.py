"""Publications to many clients, and large ones."""

from __future__ import annotations

import asyncio

from benchmarks.load import clients
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, RAW, RELEASED, Metric, Workload

KIB, MIB = 1024, 1024 * 1024
WINDOWS = 6
"""Short stretches, of which the cheapest counts: other work on the machine disturbs some of them."""


async def fan_out(server: Server, size: int, receivers: int, count: int) -> dict[str, float]:
    """CPU per delivery. One client asks for `count` publications and all get them."""
    dialect = server.peer.dialect
    async with clients(server.url, dialect, receivers) as opened:

        async def publish(count: int) -> None:
            wanted = [client.messages + count for client in opened]
            wanted[0] += 1  # the answer
            opened[0].send(dialect.call("bench.publish", [size, count]))
            await asyncio.gather(*(c.wait(n) for c, n in zip(opened, wanted, strict=True)))

        costs = []
        for _ in range(WINDOWS):
            before = server.cpu()
            await publish(count)
            costs.append((server.cpu() - before) / (count * receivers) * 1e6)
        return {"cpu_us": min(costs[1:])}


async def to_one(
    server: Server, size: int, count: int, method: str = "bench.publish", ahead: int = 1
) -> dict[str, float]:
    """Throughput and peak memory of large publications to one client; `ahead` more are asked for than have arrived."""
    dialect = server.peer.dialect
    frames = dialect.call(method, [size, 1])
    async with clients(server.url, dialect, 1) as (client,):
        idle = server.memory()
        server.reset_peak()
        loop = asyncio.get_running_loop()
        client.send(frames)
        await client.wait(client.messages + 2)
        start, cpu = loop.time(), server.cpu()
        done = client.messages
        for _ in range(1 + ahead):
            client.send(frames)
        for index in range(1, count + 1):
            if index > 1 and index + ahead <= count:
                client.send(frames)
            await client.wait(done + 2 * index)
        seconds, cpu = loop.time() - start, server.cpu() - cpu
        return {
            "mb_per_s": size * count / seconds / 1e6,
            "cpu_us_per_mb": cpu * 1e6 / (size * count / 1e6),
            "peak_ratio": (server.peak_memory() - idle) / size,
        }


LARGE = (
    Metric("mb_per_s", "MB/s", higher_is_better=True, targets=(("raw", 0.9),)),
    Metric("cpu_us_per_mb", "server us per MB"),
    Metric("peak_ratio", "peak memory over idle, in messages", targets=(("", 1.5),)),
)
LARGE_PEERS = (*RAW, *OURS, *FALLBACK, *RELEASED)
WORKLOADS = (
    Workload(
        "publish-1k-100", "publish 1 KiB to 100 clients", LARGE_PEERS,
        (Metric("cpu_us", "server us per delivery", targets=(("raw", 1.3), ("2.6.0", 0.4))),),
        lambda s: fan_out(s, KIB, 100, 50),
    ),
    Workload(
        "publish-1m-10", "publish 1 MiB to 10 clients", LARGE_PEERS,
        (Metric("cpu_us", "server us per delivery", targets=(("raw", 1.1),)),),
        lambda s: fan_out(s, MIB, 10, 8),
    ),
    Workload(
        "publish-8m-1", "publish 8 MiB to 1 client", LARGE_PEERS, LARGE,
        lambda s: to_one(s, 8 * MIB, 50), arguments=(f"--hold={8 * MIB}",),
    ),
    Workload(
        "array-64m", "publish a 64 MiB array to 1 client", (*RAW, *OURS, "2.6.0"), LARGE,
        lambda s: to_one(s, 64 * MIB, 6, "bench.array", ahead=0), arguments=(f"--hold={64 * MIB}",),
    ),
)  # fmt: skip
