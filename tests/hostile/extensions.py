"""What hostile clients send that were granted extensions."""

from __future__ import annotations

import secrets
import socket as sockets
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgpack

from tests.hostile import wire
from tests.hostile.registry import MESSAGES, MIB, OUTBOX, PROCESS_BYTES, WAITING, Outcome, attack, script
from tests.hostile.sockets import Ended, Target, WebSocket
from tests.hostile.wire import BINARY

ALL = ("subscribe", "flow", "cancel", "resume")
FLOWS = ("subscribe", "flow", "cancel")
NO_FLOW = ("subscribe", "cancel", "resume")
"""With these a client is sent what it has not acknowledged, and that is kept for it."""
KEPT = 64 * MIB
"""`max_resume`: what a session keeps for its client."""
BEGUN = 64 * MIB
"""`max_begun`: what is kept of messages that clients which are away had sent in part."""


def extension(*items: Any) -> bytes:
    """A message of an extension, without a number."""
    return wire.chunk(msgpack.packb(list(items)), 0, None, 0)


def many(socket: WebSocket, count: int, make: Callable[[int], bytes]) -> bytes:
    return b"".join(socket.frame(BINARY, make(number)) for number in range(count))


# Acknowledgements ------------------------------------------------------------------------------------------------


@attack("acknowledgements of what was never sent", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _false(socket: WebSocket, number: int) -> bytes:
    lies = ((2**64 - 1, 0), (10**12 + number, 2**64 - 1), (0, 0), (1, 10**9), (number, 1))
    return many(socket, 2_000, lambda n: extension(1, *lies[n % len(lies)]))


@attack("acknowledgements that are malformed", secret=True, reads=True, features=ALL, kinds=MESSAGES, alike=True)
def _malformed(socket: WebSocket, _: int) -> bytes:
    wrong = (
        (-1, 0),
        (1.5, 0),
        ("x" * 4000, 0),
        (),
        (1, 0, -1, []),
        (1, 0, 1, "abc"),
        (1, 0, 1, [-1] * 5000),
        (1, 0, 0, {}),
    )
    return many(socket, 200, lambda n: extension(1, *wrong[n % len(wrong)]))


@attack(
    "acknowledgements that name many missing numbers", secret=True, reads=True, features=ALL, kinds=MESSAGES, alike=True
)
def _missing(socket: WebSocket, _: int) -> bytes:
    return many(socket, 50, lambda n: extension(1, 0, 0, 2**32 - 1, list(range(4096))))


@attack("acknowledgements that ask for one, which are not read", secret=True, features=ALL, kinds=MESSAGES)
def _asking(socket: WebSocket, _: int) -> bytes:
    return many(socket, 5_000, lambda n: extension(1, 0, 0, 0, [], True))


@attack("acknowledgements that ask for one", secret=True, reads=True, features=ALL, kinds=MESSAGES, alike=True)
def _asking_and_reading(socket: WebSocket, number: int) -> bytes:
    return _asking(socket, number)


@attack("hellos in a row whose answers are not read", secret=True, features=ALL, kinds=MESSAGES)
def _hellos(socket: WebSocket, _: int) -> bytes:
    return many(socket, 2_000, lambda n: wire.message(wire.hello(features=ALL, resume={})))


@attack(
    "results that are read and never acknowledged",
    secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True,
)  # fmt: skip
def _unacknowledged(socket: WebSocket, _: int) -> bytes:
    return many(socket, 500, lambda n: wire.message(wire.call("test.big", 64 * 1024)))


@attack(
    "results that are read and never acknowledged, of many clients",
    secret=True, reads=True, features=FLOWS, connections=10, kinds=WAITING, alike=True,
    growth=PROCESS_BYTES + 2 * OUTBOX,
)  # fmt: skip
def _unacknowledged_by_many(socket: WebSocket, number: int) -> bytes:
    return _unacknowledged(socket, number)


@attack("publications that are never settled", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _unsettled(socket: WebSocket, number: int) -> bytes:
    begin = socket.frame(BINARY, wire.message(wire.subscribe(1, "test.topic", {}))) if number == 0 else b""
    lies = ((1, 2**63, 0), (1, 1, 2**63), (2, 1, 0), (2**64 - 1, 0, 0))
    return begin + many(socket, 2_000, lambda n: extension(2, *lies[n % len(lies)]))


# Cancellation ------------------------------------------------------------------------------------------------


@attack("cancellations of what is not known", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _cancels(socket: WebSocket, _: int) -> bytes:
    return many(socket, 5_000, lambda n: extension(6, f"rpc:c0:{n}"))


@attack("calls that are cancelled at once", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _calls_and_cancels(socket: WebSocket, number: int) -> bytes:
    def pair(n: int) -> bytes:
        id_ = f"rpc:{number}:{n // 2}"
        return extension(6, id_) if n % 2 else wire.message(wire.call("test.later", 60, id_=id_))

    return many(socket, 2_000, pair)


@attack("calls that wait and are cancelled", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _waiting_and_cancelled(socket: WebSocket, number: int) -> bytes:
    calls = many(socket, 3_000, lambda n: wire.message(wire.call("test.later", 60, id_=f"rpc:{number}:{n}")))
    return calls + many(socket, 3_000, lambda n: extension(6, f"rpc:{number}:{n}"))


@attack("messages that are ended before they are whole", secret=True, reads=True, features=FLOWS, kinds=MESSAGES)
def _ended(socket: WebSocket, number: int) -> bytes:
    def one(n: int) -> bytes:
        id_, total = number % 1000 * 1000 + n // 2 + 1, 1 << 20
        return wire.chunk(b"", total, total, id_) if n % 2 else wire.chunk(bytes(1000), 0, total, id_)

    return many(socket, 2_000, one)


@attack("ends of messages that never began", secret=True, reads=True, features=FLOWS, kinds=MESSAGES, alike=True)
def _ends(socket: WebSocket, _: int) -> bytes:
    return many(socket, 5_000, lambda n: wire.chunk(b"", 2**32 - 1, 2**32 - 1, n + 1))


# Resumption ------------------------------------------------------------------------------------------------


class Client:
    """A client that can return."""

    def __init__(self, target: Target, outcome: Outcome, features: tuple[str, ...] = NO_FLOW) -> None:
        self.target = target
        self.token = ""
        self.sent = 0
        self._outcome = outcome
        self._features = features
        self.socket: WebSocket = self._open()

    def _open(self, **resume: Any) -> WebSocket:
        socket = WebSocket.open(self.target, 5)
        self._outcome.connections += 1
        answer = socket.hello(features=self._features, resume=resume)
        given = answer.get("result", {}).get("resume", {})
        if resume and given.get("resumed") is not resume.pop("expected", True):
            self._outcome.refusals.append(str(given))
        self.token = given.get("token", self.token)
        self.socket = socket
        return socket

    def back(self, received: int = 0, missing: tuple[int, ...] = (), begun: Sequence[list[int]] = ()) -> None:
        """Return."""
        self._open(token=self.token, received=received, missing=list(missing), begun=list(begun))

    def cut(self) -> None:
        """Lose the connection."""
        self.socket.sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def numbered(self, envelope: Any) -> bytes:
        """The frame of a message that has a number."""
        self.sent += 1
        return self.socket.frame(BINARY, wire.chunk(msgpack.packb(envelope), 0, None, self.sent))

    def notify(self, *items: Any) -> bytes:
        return self.socket.frame(BINARY, extension(*items))

    def results(self, count: int, method: str, *args: Any) -> None:
        """Make calls and read their results, of which none is acknowledged."""
        for start in range(0, count, 500):
            calls = [wire.call(method, *args) for _ in range(min(500, count - start))]
            last = wire.call("test.quick")  # whose result is whole in a frame
            self.socket.write(b"".join(map(self.numbered, [*calls, last])))
            self.socket.answer(last["id"])


def again(over: Callable[[], bool]) -> Iterator[None]:
    while not over():
        yield
        time.sleep(0.0005)


def guarded(act: Callable[[], None]) -> None:
    try:
        act()
    except (Ended, OSError, TimeoutError):
        time.sleep(0.01)


@script("returns to much that is kept", kinds=WAITING, growth=PROCESS_BYTES + KEPT)
def _returns(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    client.results(40_000, "test.quick")
    for _ in again(over):
        client.cut()
        guarded(client.back)


@script("returns while the connection is open", kinds=WAITING, alike=True)
def _open_returns(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    kept: list[WebSocket] = []
    for _ in again(over):
        kept.append(client.socket)
        guarded(client.back)
    for one in kept:
        one.close()


@script("returns that lie about what has arrived", kinds=WAITING, alike=True)
def _lying_returns(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    lies = (
        (2**64 - 1, (1, 2, 3)),
        (5, tuple(range(1, 65))),
        (0, tuple(2**64 - 1 - n for n in range(64))),
        (3, (7, 7, 7)),
    )
    for number, _ in enumerate(again(over)):
        client.results(20, "test.quick")
        client.cut()
        received, missing = lies[number % len(lies)]
        guarded(lambda: client.back(received, missing))  # noqa: B023 - called at once
        if outcome.refusals:
            outcome.refusals.clear()
            client = Client(target, outcome)


@script("much that is acknowledged at once", kinds=MESSAGES, alike=True, growth=PROCESS_BYTES + KEPT)
def _acknowledged(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    sent = 0
    while not over():
        client.results(40_000, "test.quick")
        sent += 40_000 + 40_000 // 500
        client.socket.write(client.notify(1, 0, 0, sent, []))


@script("much that is acknowledged one by one", kinds=MESSAGES, alike=True, growth=PROCESS_BYTES + KEPT)
def _acknowledged_singly(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    client.results(40_000, "test.quick")
    number = 0
    while not over():
        client.socket.write(b"".join(client.notify(1, 0, 0, number + n, []) for n in range(1, 1001)))
        number += 1000


@script("results that are kept and never acknowledged", kinds=MESSAGES, alike=True, growth=PROCESS_BYTES + KEPT)
def _kept(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    for _ in again(over):
        client.results(10, "test.big", MIB)


@script("clients that are cut off and do not return", kinds=WAITING, alike=True)
def _deserters(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    for _ in again(over):
        guarded(lambda: Client(target, outcome).cut())


@script("clients that are cut off in the middle of large messages", kinds=WAITING, growth=PROCESS_BYTES + BEGUN)
def _partial(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    def one() -> None:
        client = Client(target, outcome)
        for number in range(60):
            client.socket.write(client.socket.frame(BINARY, wire.chunk(bytes(64 * 1024), 0, 1 << 20, number + 1)))
        client.socket.write(client.notify(1, 0, 0, 0, [], True))
        client.socket.receive()
        client.cut()

    for _ in again(over):
        guarded(one)


@script("clients that are cut off behind calls", kinds=WAITING, alike=True)
def _calling(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    def one() -> None:
        client = Client(target, outcome)
        calls = [wire.call("test.later", 60) for _ in range(1_024)]
        client.socket.write(b"".join(map(client.numbered, calls)))
        client.socket.write(client.notify(1, 0, 0, 0, [], True))
        client.socket.receive()
        client.cut()

    for _ in again(over):
        guarded(one)


@script("returns with tokens that are guessed", kinds=WAITING, alike=True)
def _guesses(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    def one() -> None:
        socket = WebSocket.open(target, 5)
        outcome.connections += 1
        socket.hello(features=ALL, resume={"token": secrets.token_hex(16), "received": 5, "missing": list(range(1, 5))})
        socket.close()

    for _ in again(over):
        guarded(one)


@script("returns that are not finished", kinds=WAITING, alike=True)
def _unfinished(target: Target, over: Callable[[], bool], outcome: Outcome) -> None:
    client = Client(target, outcome)
    client.results(500, "test.big", 1000)
    client.cut()
    hello = wire.message(wire.hello(features=NO_FLOW, resume={"token": client.token, "received": 0, "missing": []}))
    kept: list[WebSocket] = []
    for _ in again(over):
        try:
            socket = WebSocket.open(target, 5)
        except (Ended, OSError):
            continue
        outcome.connections += 1
        socket.write(socket.frame(BINARY, hello)[:-1])
        kept.append(socket)
        if len(kept) >= 200:
            kept.pop(0).close()


# Streams, progress, calls to clients ----------------------------------------------------------------------------------

CALLS = ("subscribe", "flow", "cancel", "stream", "progress", "handle")


@attack("items of streams that nobody reads", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True)
def _items(socket: WebSocket, number: int) -> bytes:
    lies = ((0, "x" * 400, 0), (2**63, None, 1), (number, [[]] * 50, 2**63), (0,))
    return many(socket, 2_000, lambda n: extension(3, f"rpc:c0:{n % 50}", *lies[n % len(lies)]))


@attack("credits for what is no stream", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True)
def _credits(socket: WebSocket, _: int) -> bytes:
    return many(socket, 5_000, lambda n: extension(5, f"rpc:c0:{n}", 2**63, n % 3))


@attack("calls for streams that are never read", secret=True, features=CALLS, kinds=MESSAGES, alike=True)
def _streams(socket: WebSocket, number: int) -> bytes:
    def one(n: int) -> bytes:
        return wire.message({**wire.call("test.echo", 1, id_=f"rpc:{number}:{n}"), "stream": 1024, "progress": True})

    return many(socket, 1_000, one)


@attack(
    "arguments that are streams and do not come", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True
)
def _arguments(socket: WebSocket, number: int) -> bytes:
    def one(n: int) -> bytes:
        streams = [msgpack.ExtType(2, msgpack.packb(k)) for k in range(20)]
        return wire.message(wire.call("test.echo", streams, id_=f"rpc:{number}:{n}"))

    return many(socket, 500, one)


@attack("progress of calls that nobody made", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True)
def _progress(socket: WebSocket, _: int) -> bytes:
    return many(socket, 5_000, lambda n: extension(7, f"rpc:server:{n}", "x" * 100))


@attack("responses to calls that nobody made", secret=True, reads=True, features=CALLS, kinds=MESSAGES, alike=True)
def _responses(socket: WebSocket, _: int) -> bytes:
    return many(
        socket, 3_000, lambda n: wire.message({"wslink": "1.0", "id": f"rpc:server:{n}", "result": ["x" * 100]})
    )
