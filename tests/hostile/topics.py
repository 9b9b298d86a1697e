"""What hostile clients do with topics that cost more than others: with values that are retained, or rendered on demand,
and with patterns."""

from __future__ import annotations

from typing import Any

from tests.hostile import wire
from tests.hostile.extensions import FLOWS, many
from tests.hostile.registry import MESSAGES, MIB, PROCESS_BYTES, attack
from tests.hostile.sockets import WebSocket

APPS = ("picows", "aiohttp", "asgi", "reverse")
"""The kinds of server whose topics are declared, and may retain or be rendered on demand."""


def _changing(socket: WebSocket, count: int, topic: str, *filters: dict[str, Any]) -> bytes:
    """Subscriptions that take each other's place."""
    return many(socket, count, lambda n: wire.message(wire.subscribe(1, topic, filters[n % len(filters)])))


@attack("subscriptions to much that is retained", secret=True, reads=True, kinds=APPS, connections=4, long=True)
def _retained(socket: WebSocket, _: int) -> bytes:
    return _changing(socket, 64, "test.kept", {"n": {"lt": 512}}, {"n": {"gte": 512}})


@attack(
    "subscriptions to much that is retained, which is not read",
    secret=True, kinds=APPS, growth=PROCESS_BYTES * 2, long=True,
)  # fmt: skip
def _unread_retained(socket: WebSocket, number: int) -> bytes:
    return _retained(socket, number)


@attack(
    "filters that match nothing of what is retained", secret=True, reads=True, kinds=APPS, connections=4, alike=True
)
def _unmatched(socket: WebSocket, number: int) -> bytes:
    conditions = {"or": [{"and": [{"n": {"gte": 0, "lt": 1024}}, {"n": -1 - k}]} for k in range(10)]}
    return many(socket, 256, lambda n: wire.message(wire.subscribe(n % 512 + 1, "test.kept", conditions)))


@attack("subscriptions to what is rendered on demand", secret=True, reads=True, kinds=APPS, alike=True)
def _rendered(socket: WebSocket, number: int) -> bytes:
    if number:
        return many(socket, 20, lambda n: wire.message(wire.call("test.change")))
    return many(socket, 500, lambda n: wire.message(wire.subscribe(n + 1, "test.view", {})))


@attack("subscriptions with windows to what is rendered on demand", secret=True, reads=True, features=FLOWS, kinds=APPS)
def _rendered_in_windows(socket: WebSocket, number: int) -> bytes:
    return _rendered(socket, number)


@attack("viewers that come and go", secret=True, reads=True, kinds=APPS, long=True)
def _viewers(socket: WebSocket, _: int) -> bytes:
    def one(n: int) -> bytes:
        if n % 2:
            return wire.message(wire.system("wslink.unsubscribe", {"subscription": 1}))
        return wire.message(wire.subscribe(1, "test.view", {}))

    return many(socket, 500, one)


@attack("patterns that come and go", secret=True, reads=True, kinds=MESSAGES, long=True)
def _patterns(socket: WebSocket, _: int) -> bytes:
    def one(n: int) -> bytes:
        id_, topic = n // 2 % 30 + 1, ".".join("*" * (n % 100)) or "**"
        if n % 2:
            return wire.message(wire.system("wslink.unsubscribe", {"subscription": id_}))
        return wire.message(wire.subscribe(id_, topic, {}))

    return many(socket, 1_000, one)


@attack(
    "topics that clients make up, and patterns over them",
    secret=True, reads=True, connections=5, kinds=("tornado",), growth=PROCESS_BYTES + 5 * MIB,
)  # fmt: skip
def _made_up(socket: WebSocket, number: int) -> bytes:
    patterns = many(socket, 30, lambda n: wire.message(wire.subscribe(n + 1, "**", {}))) if number == 0 else b""
    if number > 20:
        return b""
    start = number * 40 + 31
    name = id(socket)
    return patterns + many(
        socket, 40, lambda n: wire.message(wire.subscribe(start + n, f"made.up_{name}_{start + n}", {}))
    )


@attack("presence that is asked for again and again", secret=True, reads=True, kinds=APPS, long=True, connections=4)
def _presence(socket: WebSocket, _: int) -> bytes:
    def one(n: int) -> bytes:
        if n % 2:
            return wire.message(wire.system("wslink.unsubscribe", {"subscription": 1}))
        return wire.message(wire.subscribe(1, "test.present", {}))

    return many(socket, 500, one)
