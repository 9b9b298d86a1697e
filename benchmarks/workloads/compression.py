"""Results over a connection that negotiated permessage-deflate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.frames import Dialect, First
from benchmarks.load import Client
from benchmarks.process import Server
from benchmarks.workload import OURS, Load, Metric, Window

SIZE, COUNT = 1_000_000, 20
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}


@asynccontextmanager
async def results(server: Server, method: str) -> AsyncIterator[Window]:
    dialect = server.peer.dialect
    frames = dialect.call(method, [SIZE])
    client = await Client.open(server.url, Deflated(), extra_headers=OFFER, hello=False)
    client.send(dialect.hello())
    await client.wait(1)
    parts = 3 if method == "bench.binary" and isinstance(dialect, First) else 1  # the frames of an attachment

    async def window() -> dict[str, float]:
        loop = asyncio.get_running_loop()
        start, cpu, done, size = loop.time(), server.cpu(), client.messages, client.bytes
        client.send(frames)
        for index in range(1, COUNT + 1):
            if index < COUNT:
                client.send(frames)
            await client.wait(done + parts * index)
        seconds, cpu = loop.time() - start, server.cpu() - cpu
        size = client.bytes - size
        return {"per_s": COUNT / seconds, "cpu_us": cpu / COUNT * 1e6, "wire_ratio": size / COUNT / SIZE}

    yield window
    client.transport.disconnect(graceful=False)


class Deflated(Dialect):
    """Counts frames, which may be compressed, without looking into them."""


def workload(name: str, title: str, method: str, faster: float | None, smaller: float | None) -> Load:
    return Load(
        name=name, title=title, peers=(*OURS, "2.6.0"), windows=7,
        metrics=(
            Metric("per_s", "results/s", "throughput", True, (("2.6.0", faster),) if faster else ()),
            Metric("cpu_us", "server us per result"),
            Metric("wire_ratio", "bytes on the wire per byte", "exact", targets=(("", smaller),) if smaller else ()),
        ),
        ready=lambda s: results(s, method), arguments=("--compress",), environment={"WSLINK_WS_COMPRESS": "1"},
    )  # fmt: skip


WORKLOADS = (
    workload("deflate-dense", "1 MB incompressible result, deflate negotiated", "bench.binary", 8.0, None),
    workload("deflate-text", "1 MB of text as a result, deflate negotiated", "bench.text", None, 0.2),
)
