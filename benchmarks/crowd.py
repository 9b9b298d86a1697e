"""What one server bears of many clients, in time of its CPU: python -m benchmarks.crowd

The table of docs/scale.md. Each client is a WebSocket with two subscriptions: one with a filter of its own, and one to
everything.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Sequence
from typing import Any

from benchmarks.frames import PEERS, Second
from benchmarks.load import AT_ONCE, Client, clients, pump
from benchmarks.process import Server

KIB = 1024
APP = PEERS["ours v2"]._replace(dialect=Second("subscribe"))
Row = dict[str, float]


async def measure(count: int) -> Row:
    """Figures with `count` clients: microseconds, and KiB for each client."""
    row: Row = {}
    with Server(APP) as server:
        async with clients(server.url, APP.dialect, AT_ONCE):  # what the first ones load is not counted
            pass
        memory, spent = server.memory(), server.cpu()
        async with clients(server.url, APP.dialect, count) as opened:
            row["connect and hello, us"] = (server.cpu() - spent) / count * 1e6
            row["idle, KiB each"] = (server.memory() - memory) / count / KIB
            memory, spent = server.memory(), server.cpu()
            await together(opened, lambda client, number: subscribe(client, 1, {"row": number}))
            row["subscribe with a filter, us"] = (server.cpu() - spent) / count * 1e6
            row["a subscription, KiB each"] = (server.memory() - memory) / count / KIB
            rounds = 2_000
            row["a publication that one of them wants, us"] = await cost(
                server, opened[0], "bench.publish_rows", [KIB, rounds, count], rounds
            )
            await together(opened, lambda client, number: subscribe(client, 2, {}))
            rounds = max(5, 20_000 // count)
            row["a publication to all, us for each"] = await everybody(server, opened, rounds) / count
            row["a call, us"] = await call(server, opened[:: math.ceil(count / 50)])
    return row


async def together(opened: Sequence[Client], act: Any) -> None:
    for first in range(0, len(opened), AT_ONCE):
        some = range(first, min(first + AT_ONCE, len(opened)))
        await asyncio.gather(*(act(opened[number], number) for number in some))


async def subscribe(client: Client, number: int, definition: dict[str, int]) -> None:
    arguments = {"subscription": number, "topic": "bench.topic", "filter": definition}
    client.send(client.dialect.call("wslink.subscribe", [arguments], id_=f"system:subscribe:{number}"))
    await client.wait(client.messages + 1)


async def cost(server: Server, client: Client, method: str, args: list[int], rounds: int) -> float:
    """Microseconds of one publication of a call that makes `rounds`."""
    before, arrived = server.cpu(), client.messages
    client.send(client.dialect.call(method, args))
    await client.wait(arrived + 1 + rounds // args[-1] + (rounds % args[-1] > 0))
    return (server.cpu() - before) / rounds * 1e6


async def everybody(server: Server, opened: Sequence[Client], rounds: int) -> float:
    """Microseconds of a publication of 1 KiB to all, in the best of three tries."""
    best = math.inf
    for _ in range(3):
        wanted = [client.messages + rounds for client in opened]
        wanted[0] += 1  # the response
        before = server.cpu()
        opened[0].send(opened[0].dialect.call("bench.publish", [KIB, rounds]))
        await asyncio.gather(*(client.wait(number) for client, number in zip(opened, wanted, strict=True)))
        best = min(best, (server.cpu() - before) / rounds * 1e6)
    return best


async def call(server: Server, some: Sequence[Client]) -> float:
    """Microseconds of a small call, two under way on each of some connections, in the best of three tries."""
    frames, share, best = APP.dialect.call("bench.add", [1, 2, 3]), max(1_500 // len(some), 4), math.inf
    for _ in range(3):
        before = server.cpu()
        await asyncio.gather(*(pump(client, frames, 2, share) for client in some))
        best = min(best, (server.cpu() - before) / (share * len(some)) * 1e6)
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 1_000, 10_000])
    counts = parser.parse_args().counts
    rows = [asyncio.run(measure(count)) for count in counts]
    print("| clients of one process |" + "".join(f" {count:,} |" for count in counts))
    print("| --- |" + " --- |" * len(counts))
    for name in rows[0]:
        print(f"| {name} |" + "".join(f" {row[name]:.1f} |" for row in rows))


if __name__ == "__main__":
    main()
