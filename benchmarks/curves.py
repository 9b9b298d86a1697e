"""How costs grow with connections, with the size of messages, and with subscribers. Drawn by plot.py."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks import environments
from benchmarks.ages import ages
from benchmarks.frames import PEERS, FrameOut, Peer, Second
from benchmarks.load import AT_ONCE, Client, clients, pump
from benchmarks.process import Server
from benchmarks.results import RESULTS

Curve = dict[str, dict[str, list[list[float]]]]
"""Quantity to the name of a line to its points, x and y."""

KIB, MIB = 1024, 1024 * 1024
CONNECTIONS = (1, 10, 100, 1_000, 3_000, 10_000)
SIZES = (1, 32, KIB, 32 * KIB, MIB, 8 * MIB, 64 * MIB, 256 * MIB)
SUBSCRIBERS = (1, 3, 10, 30, 100, 300, 1_000)
LINES = {"App": "ours v2", "wslink 2.6.0": "2.6.0", "raw engine": "raw v2"}
WHOLE = Second(frame=1024 * MIB)
"""The raw engine joins no chunks."""


def main(chosen: Sequence[str]) -> int:
    """Measure the curves that are named, or all, and draw them into docs/images."""
    unknown = set(chosen) - set(CURVES)
    if unknown:
        print(f"bench: no curve {', '.join(sorted(unknown))}; there are: {', '.join(CURVES)}", file=sys.stderr)
        return 2
    RESULTS.mkdir(exist_ok=True)
    for name in chosen or CURVES:
        begun = time.monotonic()
        curve = asyncio.run(CURVES[name]())
        path = RESULTS / f"curve-{name}.json"
        path.write_text(json.dumps(curve, indent=1) + "\n")
        image = environments.ROOT / "docs" / "images" / f"{'flow' if name == 'ages' else 'growth'}-{name}.svg"
        subprocess.run([environments.python("plot"), "-m", "benchmarks.plot", name, path, image], check=True)
        took = time.monotonic() - begun
        print(f"bench: {image.relative_to(environments.ROOT)}: {took:.0f} s", file=sys.stderr)
    return 0


# Connections


async def connections() -> Curve:
    """What each connection takes and costs, and what a call costs beside them."""
    curve: Curve = {"memory": {}, "hello": {}, "call": {}}
    for line, name in LINES.items():
        with Server(PEERS[name]) as server:
            async with clients(server.url, server.peer.dialect, AT_ONCE):  # what the first ones load is not counted
                pass
            await _add_connections(server, line, curve)
    return curve


async def _add_connections(server: Server, line: str, curve: Curve) -> None:
    opened: list[Client] = []
    base = server.memory()
    frames = server.peer.dialect.call("bench.add", [1, 2, 3])
    for count in CONNECTIONS:
        new, cpu = count - len(opened), server.cpu()
        while len(opened) < count:
            together = min(AT_ONCE, count - len(opened))
            opened += await asyncio.gather(*(Client.open(server.url, server.peer.dialect) for _ in range(together)))
        _point(curve, "hello", line, count, (server.cpu() - cpu) / new * 1e6)
        if count >= 10:  # below that a page of memory is more than a connection
            _point(curve, "memory", line, count, (server.memory() - base) / count / KIB)
        _point(curve, "call", line, count, await _call(server, opened[:: math.ceil(count / 50)], frames))
    for client in opened:
        client.transport.disconnect(graceful=False)
    await asyncio.sleep(0.1)


async def _call(server: Server, some: Sequence[Client], frames: Sequence[FrameOut]) -> float:
    """Microseconds of a call, two under way on each of some connections; the best of a few tries."""
    share = max(1_500 // len(some), 4)
    costs = []
    for _ in range(4):
        before = server.cpu()
        await asyncio.gather(*(pump(client, frames, 2, share) for client in some))
        costs.append((server.cpu() - before) / (share * len(some)) * 1e6)
    return min(costs)


# Sizes


async def sizes() -> Curve:
    """What a message costs the server, by its size, both ways."""
    curve: Curve = {"publish": {}, "upload": {}}
    for line, name in LINES.items():
        peer = PEERS[name]._replace(dialect=WHOLE) if name.startswith("raw") else PEERS[name]
        async with _one(peer) as (server, client):
            for size in SIZES:
                _point(curve, "publish", line, size, await _best(server, client, "bench.publish", [size, 1], 2, size))
                data = os.urandom(size)
                _point(curve, "upload", line, size, await _best(server, client, "bench.take", [data], 1, size))
    return curve


@asynccontextmanager
async def _one(peer: Peer) -> AsyncIterator[tuple[Server, Client]]:
    with Server(peer) as server:
        async with clients(server.url, peer.dialect, 1) as (client,):
            yield server, client


async def _best(server: Server, client: Client, method: str, args: list[Any], answers: int, size: int) -> float:
    """Microseconds of one message, of the best of a few tries; `answers` messages come back for each."""
    frames = client.dialect.call(method, args)
    count = max(1, min(300, 32 * MIB // size))
    costs = []
    for _ in range(4 if size <= 8 * MIB else 2):
        before = server.cpu()
        for _ in range(count):
            arrived = client.messages
            client.send(frames)
            await client.wait(arrived + answers)
        costs.append((server.cpu() - before) / count * 1e6)
    return min(costs)


# Subscribers


async def subscribers() -> Curve:
    """What a publication of 1 KiB costs that one subscriber wants, by how many there are; all filters differ."""
    curve: Curve = {"publication": {}}
    filtering = PEERS["ours v2"]._replace(dialect=Second("subscribe"))
    everything: Mapping[str, Callable[[int], list[Any]]] = {
        "App, filters": lambda count: [KIB, _rounds(count), count],
        "App, everything to everybody": lambda count: [KIB, max(5, 300 // count)],
        "wslink 2.6.0, everything to everybody": lambda count: [KIB, max(5, 300 // count)],
    }
    for line, peer in zip(everything, (filtering, PEERS["ours v2"], PEERS["2.6.0"]), strict=True):
        with Server(peer) as server:
            for count in SUBSCRIBERS:
                cost = await _publication(server, count, everything[line](count))
                _point(curve, "publication", line, count, cost)
    return curve


def _rounds(count: int) -> int:
    """How many publications reach every one of `count` subscribers equally often."""
    return count * max(1, 300 // count)


async def _publication(server: Server, count: int, args: list[Any]) -> float:
    """Microseconds of a publication, of the best of a few tries."""
    filtered = len(args) == 3
    async with clients(server.url, server.peer.dialect, count) as opened:
        if filtered:
            await asyncio.gather(*(_subscribe(client, row) for row, client in enumerate(opened)))
        each = args[1] // count if filtered else args[1]
        costs = []
        for _ in range(3):
            wanted = [client.messages + each for client in opened]
            wanted[0] += 1  # the answer
            before = server.cpu()
            opened[0].send(server.peer.dialect.call("bench.publish_rows" if filtered else "bench.publish", args))
            await asyncio.gather(*(c.wait(n) for c, n in zip(opened, wanted, strict=True)))
            costs.append((server.cpu() - before) / args[1] * 1e6)
        return min(costs)


async def _subscribe(client: Client, row: int) -> None:
    arguments = {"subscription": 1, "topic": "bench.topic", "filter": {"row": row}}
    client.send(client.dialect.call("wslink.subscribe", [arguments], id_="system:subscribe:1"))
    await client.wait(client.messages + 1)


def _point(curve: Curve, quantity: str, line: str, x: float, y: float) -> None:
    curve[quantity].setdefault(line, []).append([x, round(y, 3)])
    print(f"{quantity:<12} {line:<38} {x:>12,} {y:>14,.2f}", flush=True)


CURVES: Mapping[str, Callable[[], Any]] = {
    "connections": connections, "sizes": sizes, "subscribers": subscribers, "ages": ages,
}  # fmt: skip
