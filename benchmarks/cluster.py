"""Measures publications from one worker to the clients of others, through a broker: python -m benchmarks.cluster redis

Latency is from `publish` to the frame at a client of another worker. Throughput is in frames of 1 KiB at all clients,
beside those of one process with as many clients per worker: by the clock, and in time of the CPU, which says what many
cores bear where this machine has fewer than processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from tests.cluster.servers import Server
from tests.peers import Peer
from tests.ports import free_port

PROGRAM = """
import asyncio, os, time
from wslink import App
app = App(secret="secret", broker=os.environ.get("TEST_BROKER", ""))
topic = app.topic("bench.topic")

@app.method("bench.run")
async def run(count: int, size: int, pause: float = 0.0) -> float:
    payload, began = b"x" * size, time.monotonic()
    for number in range(count):
        topic.publish({"at": time.time(), "data": payload})
        if pause or number % 20 == 0:
            await asyncio.sleep(pause)
    return time.monotonic() - began
"""
HELLO = {"secret": "secret", "features": ["subscribe"]}


Serving = tuple["subprocess.Popen[bytes]", int]
"""A server, and its port."""


def serve(folder: Path, broker: str) -> Serving:
    port = free_port()
    command = [sys.executable, "-m", "wslink", "serve", "program:app", "--host", "127.0.0.1", "--port", str(port)]
    environment = {**os.environ, "TEST_BROKER": broker, "WSLINK_WS_COMPRESS": "0"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL), port


async def peer(port: int) -> Peer:
    for attempt in range(200):
        try:
            opened = await Peer.open(f"ws://127.0.0.1:{port}/ws")
            break
        except (aiohttp.ClientError, OSError):
            if attempt == 199:
                raise
            await asyncio.sleep(0.1)
    await opened.hello(**HELLO)
    return opened


def following(port: int, count: int, frames: int, ready: Any, done: Any) -> None:
    async def run() -> None:
        peers = [await peer(port) for _ in range(count)]
        for one in peers:
            await one.subscribe(1, "bench.topic")
        ready.release()

        async def read(one: Peer) -> None:
            for _ in range(frames):
                await one.socket.receive()

        await asyncio.gather(*map(read, peers))
        done.put(time.monotonic())
        for one in peers:
            await one.close()

    asyncio.run(run())


async def throughput(
    servers: list[Serving], publisher: Serving, clients: int, frames: int
) -> tuple[float, float, float]:
    """Frames per second at all clients of some servers, microseconds of CPU per frame there, and per publication at the
    one that publishes."""
    ports = [port for _, port in servers]
    ready, done = multiprocessing.Semaphore(0), multiprocessing.Queue()
    loads = [
        multiprocessing.Process(target=following, args=(port, clients, frames, ready, done), daemon=True)
        for port in ports
    ]
    for load in loads:
        load.start()
    for _ in loads:
        await asyncio.to_thread(ready.acquire)
    source = await peer(publisher[1])
    began, spent, own = time.monotonic(), sum(cpu(one.pid) for one, _ in servers), cpu(publisher[0].pid)
    await source.call("bench.run", frames, 1024)
    ended = max([await asyncio.to_thread(done.get) for _ in loads])
    spent, own = sum(cpu(one.pid) for one, _ in servers) - spent, cpu(publisher[0].pid) - own
    await source.close()
    count = len(ports) * clients * frames
    return count / (ended - began), spent / count * 1e6, own / frames * 1e6


async def latency(near: int, far: int, count: int) -> list[float]:
    source, target = await peer(near), await peer(far)
    await target.subscribe(1, "bench.topic")
    running = asyncio.create_task(source.call("bench.run", count, 1024, 0.01))
    took = []
    for _ in range(count):
        message = await target.receive()
        took.append(time.time() - message["result"]["at"])
    await running
    await source.close()
    await target.close()
    return sorted(took)


async def cost(process: int, publisher: int, count: int, pause: float) -> tuple[float, float]:
    """Microseconds of CPU per record of 1 KiB at a worker that has no clients, and records per second meanwhile."""
    source = await peer(publisher)
    spent, began = cpu(process), time.monotonic()
    await source.call("bench.run", count, 1024, pause)
    await asyncio.sleep(0.5)
    took = time.monotonic() - began
    idle, quiet = cpu(process), time.monotonic()
    await asyncio.sleep(2)
    at_rest = (cpu(process) - idle) / (time.monotonic() - quiet) * took
    await source.close()
    return (idle - spent - at_rest) / count * 1e6, count / (took - 0.5)


def cpu(process: int) -> float:
    """Seconds on a core so far, of all threads; the system's own times are hundredths of a second."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextlib.contextmanager
def cluster(kind: str, count: int) -> Iterator[tuple[Server, list[Serving], Callable[[], Serving]]]:
    """A broker, `count` workers that share it, and what starts a server without one. All end with the block."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        (folder / "program.py").write_text(PROGRAM)
        broker = Server(kind, folder)
        stack.callback(broker.stop)

        def start(url: str = "") -> Serving:
            process, port = serve(folder, url)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process, port

        yield broker, [start(broker.url) for _ in range(count)], start


async def large(kind: str, size: int, count: int) -> None:
    """Publications of `size` bytes from one worker to a client each of two others: as fast as these take them."""
    with cluster(kind, 3) as (broker, workers, _):
        source, *targets = [await peer(port) for _, port in workers]
        for one in targets:
            await one.subscribe(1, "bench.topic")
        await asyncio.sleep(1)
        spent, began = [cpu(one.pid) for one, _ in workers], time.monotonic()
        for _ in range(count):
            await source.call("bench.run", 1, size)
            await asyncio.gather(*(one.receive() for one in targets))
        took, most = time.monotonic() - began, broker.memory(peak=True)
        costs = [(cpu(one.pid) - before) / count * 1e3 for (one, _), before in zip(workers, spent, strict=True)]
        print(
            f"{kind}: {size / 2**20:g} MiB to clients of two other workers: {size * count / took / 1e6:.0f} MB/s, "
            f"{took / count * 1e3:.1f} ms each; {costs[0]:.1f} ms of CPU at the worker that publishes, "
            f"{sum(costs[1:]) / 2:.1f} ms at each other; the broker holds {broker.memory():.0f} MB, "
            f"and at most held {most:.0f}"
        )
        for one in (source, *targets):
            await one.close()


async def measure(kind: str, clients: int, frames: int) -> None:
    with cluster(kind, 4) as (_, workers, start):
        alone = start()
        ports = [port for _, port in workers]
        for count, pause in ((3000, 0.0005), (20000, 0)):
            spent, rate = await cost(workers[1][0].pid, ports[0], count, pause)
            print(f"{kind}: {spent:.0f} us of CPU per record nobody wants, at {rate:,.0f} records/s")
        took = await latency(ports[0], ports[1], 500)
        print(f"{kind}: latency p50 {took[250] * 1000:.2f} ms, p99 {took[494] * 1000:.2f} ms")
        rate, alone_costs, _ = await throughput([alone], alone, clients, frames)
        print(f"one process, {clients} clients: {rate:,.0f} frames/s, {alone_costs:.1f} us of CPU per frame")
        rate, costs, own = await throughput(workers[1:], workers[0], clients, frames)
        print(
            f"{kind}: 3 workers with {clients} clients each, of a fourth: {rate:,.0f} frames/s in all, "
            f"{costs:.1f} us of CPU per frame ({alone_costs / costs:.2f} x as many per core), and {own:.0f} us per "
            "publication at the fourth"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("redis", "nats"))
    parser.add_argument("--clients", type=int, default=333, help="per worker")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--large", type=int, default=0, metavar="BYTES", help="only publications of that size")
    parser.add_argument("--count", type=int, default=100, help="of these")
    given = parser.parse_args()
    if given.large:
        asyncio.run(large(given.kind, given.large, given.count))
    else:
        asyncio.run(measure(given.kind, given.clients, given.frames))
