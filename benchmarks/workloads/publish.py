"""Publications to many clients, and large ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.frames import First, Second
from benchmarks.load import clients
from benchmarks.process import Server
from benchmarks.workload import OURS, RAW, RELEASED, Load, Metric, Window

KIB, MIB = 1024, 1024 * 1024


@asynccontextmanager
async def fan_out(server: Server, size: int, receivers: int, count: int) -> AsyncIterator[Window]:
    """CPU per delivery. One client asks for `count` publications and all get them."""
    dialect = server.peer.dialect
    async with clients(server.url, dialect, receivers) as opened:

        async def window() -> dict[str, float]:
            before = server.cpu()
            wanted = [client.messages + count for client in opened]
            wanted[0] += 1  # the answer
            opened[0].send(dialect.call("bench.publish", [size, count]))
            await asyncio.gather(*(c.wait(n) for c, n in zip(opened, wanted, strict=True)))
            return {"cpu_us": (server.cpu() - before) / (count * receivers) * 1e6}

        yield window


@asynccontextmanager
async def to_one(
    server: Server, size: int, count: int, method: str = "bench.publish", ahead: int = 1
) -> AsyncIterator[Window]:
    """Throughput and peak memory of large publications to one client; `ahead` more are asked for than have arrived."""
    frames = server.peer.dialect.call(method, [size, 1])
    async with clients(server.url, server.peer.dialect, 1) as (client,):
        idle = server.memory()

        async def window() -> dict[str, float]:
            server.reset_peak()
            loop = asyncio.get_running_loop()
            start, cpu, done = loop.time(), server.cpu(), client.messages
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

        yield window


@asynccontextmanager
async def encodings(server: Server, receivers: int) -> AsyncIterator[Window]:
    """How often the values of one publication are read, with clients of both protocol versions connected."""
    async with (
        clients(server.url, First(), receivers),
        clients(server.url, Second(), receivers),
        clients(server.url, server.peer.dialect, 1) as (client,),
    ):

        async def window() -> dict[str, float]:
            answers: list[bytes] = []
            client.on_message = lambda payload: answers.append(bytes(payload))
            client.send(client.dialect.call("bench.count_encodings", []))
            await client.wait(client.messages + 2)  # the publication comes, too
            (count,) = (n for n in map(client.dialect.result, answers) if isinstance(n, int))
            return {"count": count / 2}

        yield window


FAN_OUT = Metric("cpu_us", "server us per delivery", targets=(("raw", 1.3), ("2.6.0", 0.4)))
LARGE = (
    Metric("mb_per_s", "MB/s", "throughput", higher_is_better=True, targets=(("raw", 0.9),)),
    Metric("cpu_us_per_mb", "server us per MB", watched=("raw",)),
    Metric("peak_ratio", "peak memory over idle, in messages", "memory", targets=(("", 1.5),)),
)
PEERS = (*RAW, *OURS, *RELEASED)
WORKLOADS = (
    Load(
        name="publish-1k-100", title="publish 1 KiB to 100 clients", peers=PEERS, metrics=(FAN_OUT,),
        ready=lambda s: fan_out(s, KIB, 100, 50),
    ),
    Load(
        name="encodings", title="one publication to 40 clients of both versions", peers=OURS,
        metrics=(Metric("count", "encodings per version", "exact", targets=(("", 1),)),),
        ready=lambda s: encodings(s, 20), windows=1,
    ),
    Load(
        name="publish-1m-10", title="publish 1 MiB to 10 clients", peers=PEERS,
        metrics=(Metric("cpu_us", "server us per delivery", targets=(("raw", 1.1),)),),
        ready=lambda s: fan_out(s, MIB, 10, 8),
    ),
    Load(
        name="publish-8m-1", title="publish 8 MiB to 1 client", peers=PEERS, metrics=LARGE,
        ready=lambda s: to_one(s, 8 * MIB, 12), arguments=(f"--hold={8 * MIB}",),
    ),
    Load(
        name="array-64m", title="publish a 64 MiB array to 1 client", peers=(*RAW, *OURS, "2.6.0"), metrics=LARGE,
        ready=lambda s: to_one(s, 64 * MIB, 2, "bench.array", ahead=0), arguments=(f"--hold={64 * MIB}",), windows=9,
    ),
)  # fmt: skip
