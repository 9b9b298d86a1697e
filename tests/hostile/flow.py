"""What hostile clients do with flow control: windows, acknowledgements that come early, lanes, chunks and transfers."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from typing import Any

from tests.hostile import wire
from tests.hostile.extensions import FLOWS, extension, many
from tests.hostile.registry import MESSAGES, MIB, PROCESS_BYTES, Outcome, attack, script
from tests.hostile.sockets import Target, WebSocket
from tests.hostile.topics import APPS
from tests.hostile.wire import BINARY

SUBSCRIPTIONS = 1_000
SLOWEST = 0.001
"""Publications per second: a window rests for 1,000 s."""
BACKLOG = 64 * MIB
"""`max_backlog`: what waits for a client altogether."""


def _opened(number: int, topic: str, **chosen: Any) -> bytes:
    return wire.message(wire.system("wslink.subscribe", {"subscription": number, "topic": topic, **chosen}))


def _ended(number: int) -> bytes:
    return wire.message(wire.system("wslink.unsubscribe", {"subscription": number}))


# Windows -----------------------------------------------------------------------------------------------------------


@attack("windows that rest for long", secret=True, reads=True, features=FLOWS, kinds=APPS, alike=True)
def _resting(socket: WebSocket, _: int) -> bytes:
    def one(n: int) -> bytes:
        if n % 2:
            return _ended(1)
        return _opened(1, "test.kept", max_rate=SLOWEST, window=1024, filter={"n": n % 1024})

    return many(socket, 500, one)


@attack(
    "clients that leave windows that rest", secret=True, reads=True, features=FLOWS, kinds=APPS, alike=True,
    connections=8,
)  # fmt: skip
def _left_resting(socket: WebSocket, number: int) -> bytes:
    if number:
        return socket.frame(wire.CLOSE, struct.pack(">H", 1000))
    return many(socket, 20, lambda n: _opened(n + 1, "test.kept", max_rate=SLOWEST))


def _shared(socket: WebSocket) -> bytes:
    """Subscriptions that share each publication, of which the last one is never settled."""
    windows = [1024] * (SUBSCRIPTIONS - 1) + [1]
    return many(socket, SUBSCRIPTIONS, lambda n: _opened(n + 1, "test.fresh", window=windows[n])) + many(
        socket, 3, lambda n: wire.message(wire.call("test.freshen", n))
    )


@attack(
    "calls behind a publication that waits for a thousand windows", secret=True, reads=True, features=FLOWS, kinds=APPS
)
def _behind_windows(socket: WebSocket, number: int) -> bytes:
    return (b"" if number else _shared(socket)) + many(
        socket, 1_000, lambda n: wire.message(wire.call("test.quick")) if n % 20 else extension(1, 2**20 * number, 0)
    )


@attack("a thousand windows that are settled one by one", secret=True, reads=True, features=FLOWS, kinds=APPS)
def _settled_singly(socket: WebSocket, number: int) -> bytes:
    if not number:
        return _shared(socket)
    return many(socket, 2_000, lambda n: extension(2, n % (SUBSCRIPTIONS - 1) + 1, number, 0))


@attack(
    "publications that wait for windows, one for each key", secret=True, reads=True, features=FLOWS, kinds=APPS,
    growth=PROCESS_BYTES + BACKLOG,
)  # fmt: skip
def _keyed(socket: WebSocket, number: int) -> bytes:
    begin = b"" if number else many(socket, 500, lambda n: _opened(n + 1, "test.fresh", window=1))
    return begin + many(socket, 200, lambda n: wire.message(wire.call("test.freshen", number * 200 + n)))


@attack("filters that are replaced while much waits for a window", secret=True, reads=True, features=FLOWS, kinds=APPS)
def _refiltered(socket: WebSocket, number: int) -> bytes:
    begin = b"" if number else socket.frame(BINARY, _opened(1, "test.fresh", window=1))
    fill = many(socket, 500, lambda n: wire.message(wire.call("test.freshen", n))) if number == 1 else b""
    frames = many(socket, 100, lambda n: _opened(1, "test.fresh", filter={"n": {"gte": -n}}))
    return begin + fill + frames


# Acknowledgements ----------------------------------------------------------------------------------------------------


@attack(
    "acknowledgements of what is not read yet", secret=True, features=FLOWS, kinds=APPS, growth=PROCESS_BYTES + 16 * MIB
)
def _early(socket: WebSocket, number: int) -> bytes:
    wants = [_opened(1, "test.view"), *(wire.message(wire.call("test.big", MIB)) for _ in range(20))]
    begin = b"" if number else b"".join(socket.frame(BINARY, one) for one in wants)
    steps = many(socket, 500, lambda n: extension(1, (number * 500 + n) * 16_411, 60_000))
    settled = many(socket, 50, lambda n: extension(2, 1, number * 50 + n, 2**40))
    return begin + steps + settled + many(socket, 5, lambda n: wire.message(wire.call("test.change")))


@attack("acknowledgements of one byte more", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _single(socket: WebSocket, number: int) -> bytes:
    calls = many(socket, 3, lambda n: wire.message(wire.call("test.big", MIB)))
    return calls + many(socket, 3_000, lambda n: extension(1, number * 3_000 + n, n % 7 * 10_000))


# Transfers -----------------------------------------------------------------------------------------------------------


@attack("results that are cancelled when they have begun", secret=True, reads=True, features=FLOWS, kinds=MESSAGES)
def _cancelled(socket: WebSocket, number: int) -> bytes:
    def one(n: int) -> bytes:
        id_ = f"rpc:c0:{n // 3 % 5}"
        if n % 3 == 0:
            return wire.message(wire.call("test.big", MIB, id_=id_))
        if n % 3 == 1:
            return extension(1, number * 2**20 + n * 20_000, 0)
        return extension(6, id_)

    return many(socket, 300, one)


@attack("chunks of many messages in turn", secret=True, reads=True, features=FLOWS, kinds=MESSAGES)
def _in_turn(socket: WebSocket, number: int) -> bytes:
    total = 60_000
    return many(socket, 4_000, lambda n: wire.chunk(b"\xc0", number * 62 + n // 62, total, n % 62 + 1))


@attack("chunks that come backwards", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _backwards(socket: WebSocket, number: int) -> bytes:
    total = 1 << 20
    return many(socket, 4_000, lambda n: wire.chunk(b"\xc0", (total - 2 * (number * 4_000 + n) - 2) % total, total, 1))


@attack("chunks that reach over others", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _overlapping(socket: WebSocket, _: int) -> bytes:
    return many(socket, 2_000, lambda n: wire.chunk(bytes(100), n % 7 * 50, 1 << 20, n % 50 + 1))


# Slow readers --------------------------------------------------------------------------------------------------------


@script("readers of a byte at a time, on each lane", kinds=APPS, growth=PROCESS_BYTES + 16 * MIB)
def _trickle(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    sockets = []
    for features in (FLOWS, ("subscribe",)):
        socket = WebSocket.open(target, 5)
        socket.hello(features=list(features))
        outcome.connections += 1
        wants = [_opened(1, "test.view"), _opened(2, "test.kept"), *(wire.message(wire.call("test.big", MIB)),) * 4]
        socket.write(b"".join(socket.frame(BINARY, one) for one in wants))
        sockets.append(socket)
    few = [wire.message(wire.call(method)) for method in ("test.quick", "test.change")]
    while not over():
        for socket in sockets:
            socket.sock.recv(1)
            socket.write(b"".join(socket.frame(BINARY, one) for one in few))
        time.sleep(0.001)


# Both versions -------------------------------------------------------------------------------------------------------


@attack("texts among chunks", secret=True, reads=True, features=FLOWS, kinds=MESSAGES)
def _texts(socket: WebSocket, _: int) -> bytes:
    text = wire.text(wire.call("test.quick"))
    return b"".join(
        socket.frame(*((wire.TEXT, text) if n % 2 else (BINARY, wire.message(wire.call("test.quick")))))
        for n in range(500)
    )


@attack("chunks among texts", secret=True, reads=True, version=1, kinds=MESSAGES)
def _chunks(socket: WebSocket, number: int) -> bytes:
    return _texts(socket, number) + many(socket, 500, lambda n: extension(1, n, 0))
