"""Results over a connection that negotiated permessage-deflate."""

from __future__ import annotations

import asyncio

from benchmarks.load import Client
from benchmarks.process import Server
from benchmarks.workload import FALLBACK, OURS, Metric, Workload

SIZE, COUNT = 1_000_000, 60
OFFER = {"Sec-WebSocket-Extensions": "permessage-deflate"}


async def results(server: Server, method: str, count: int) -> dict[str, float]:
    dialect = server.peer.dialect
    frames = dialect.call(method, [SIZE])
    client = await Client.open(server.url, Deflated(), extra_headers=OFFER, hello=False)
    client.send(dialect.hello())
    await client.wait(1)
    parts = 3 if method == "bench.binary" and type(dialect).__name__ == "First" else 1
    loop = asyncio.get_running_loop()
    client.send(frames)
    await client.wait(client.messages + parts)
    start, cpu, done, size = loop.time(), server.cpu(), client.messages, client.bytes
    client.send(frames)
    for index in range(1, count + 1):
        if index < count:
            client.send(frames)
        await client.wait(done + parts * index)
    seconds, cpu = loop.time() - start, server.cpu() - cpu
    size = (client.bytes - size) / count
    client.transport.disconnect(graceful=False)
    return {"per_s": count / seconds, "cpu_us": cpu / count * 1e6, "wire_ratio": size / SIZE}


class Deflated:
    """Counts frames, which may be compressed, without looking into them."""

    def completes(self, binary: bool, payload: memoryview) -> bool:
        return True


PEERS = (*OURS, *FALLBACK, "2.6.0")
WORKLOADS = (
    Workload(
        "deflate-dense", "1 MB incompressible result, deflate negotiated", PEERS,
        (
            Metric("per_s", "results/s", higher_is_better=True, targets=(("2.6.0", 8.0),)),
            Metric("cpu_us", "server us per result"),
            Metric("wire_ratio", "bytes on the wire per byte"),
        ),
        lambda s: results(s, "bench.binary", COUNT), arguments=("--compress",),
        environment={"WSLINK_WS_COMPRESS": "1"},
    ),
    Workload(
        "deflate-text", "1 MB of text as a result, deflate negotiated", PEERS,
        (
            Metric("per_s", "results/s", higher_is_better=True),
            Metric("cpu_us", "server us per result"),
            Metric("wire_ratio", "bytes on the wire per byte", targets=(("", 0.2),)),
        ),
        lambda s: results(s, "bench.text", COUNT), arguments=("--compress",), environment={"WSLINK_WS_COMPRESS": "1"},
    ),
)  # fmt: skip
