"""What hostile peers do. Each attack runs in a process of its own, for a time that it is given."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgpack

from tests.hostile import wire
from tests.hostile.sockets import Ended, Target, WebSocket, listen
from tests.hostile.wire import BINARY, CLOSE, CONTINUATION, MIB, PING, PONG, TEXT

HELLO_BYTES = 64 * 1024
"""What a connection may cost before hello."""
ARRIVING_BYTES = 256 * 1024
"""What it may cost while a frame arrives."""
PROCESS_BYTES = 32 * MIB
"""What all of an attack may cost."""

Payload = Callable[[WebSocket, int], bytes]
"""The bytes to send next on a connection, and how many times that was asked before."""


@dataclass(frozen=True)
class Attack:
    """Attributes:
    payload: see Payload.
    connections: how many at a time.
    secret: whether the attacker has a secret, and has said hello; None where `payload` says it.
    features: what it announces in hello.
    reads: whether it reads what is sent to it.
    deflates: whether it offers permessage-deflate.
    version: of the protocol in which it says hello.
    once: whether each connection sends `payload` once, and then waits.
    growth: the bytes by which the process may grow.
    kinds: the kinds of server that it concerns.
    """

    payload: Payload
    connections: int = 1
    secret: bool = False
    features: tuple[str, ...] = ("subscribe",)
    reads: bool = False
    deflates: bool = False
    version: int = 2
    once: bool = False
    growth: int = PROCESS_BYTES
    kinds: tuple[str, ...] = ()


FRAMES = ("picows", "aiohttp", "reverse", "relay")
"""The kinds of server whose WebSocket frames are ours to read: under an ASGI server or Tornado they are theirs."""
MESSAGES = ("picows", "aiohttp", "asgi", "tornado", "reverse")
"""Those that read messages: a relay passes them on."""
WAITING = ("picows", "aiohttp", "asgi", "tornado")
"""Those that serve many clients at a time."""

ATTACKS: dict[str, Attack] = {}


def attack(name: str, **options: Any) -> Callable[[Payload], Payload]:
    """Register an attack, on MESSAGES unless it names kinds. A reverse connection has one peer at a time."""

    def register(payload: Payload) -> Payload:
        kinds = options.pop("kinds", MESSAGES)
        if options.get("connections", 1) > 1:
            kinds = tuple(kind for kind in kinds if kind != "reverse")
        ATTACKS[name] = Attack(payload, kinds=kinds, **options)
        return payload

    return register


def _message(socket: WebSocket, envelope: Any) -> bytes:
    return socket.frame(BINARY, wire.message(envelope))


# Control frames -------------------------------------------------------------------------------------------------------


def _controls(opcode: int) -> Payload:
    return lambda socket, _: socket.frame(opcode, bytes(125)) * 500


attack("pings that are not read, before hello", kinds=FRAMES)(_controls(PING))
attack("pings that are not read, of many connections", connections=20, kinds=FRAMES)(_controls(PING))
attack("pings that are not read, after hello", secret=True, kinds=FRAMES[:3])(_controls(PING))
attack("pings that are read", reads=True, kinds=FRAMES)(_controls(PING))
attack("pongs", kinds=FRAMES)(_controls(PONG))


@attack("pings behind a result that is not read", secret=True, kinds=FRAMES[:3])
def _pings_behind_a_result(socket: WebSocket, number: int) -> bytes:
    begin = b"".join(_message(socket, wire.call("test.big", MIB)) for _ in range(20)) if number == 0 else b""
    return begin + socket.frame(PING, bytes(125)) * 500


# Frames that cost more than they weigh --------------------------------------------------------------------------------


@attack("empty continuation frames", secret=True, kinds=FRAMES[:3])
def _empty_continuations(socket: WebSocket, number: int) -> bytes:
    begin = socket.frame(TEXT, b"{", fin=False) if number == 0 else b""
    return begin + socket.frame(CONTINUATION, b"", fin=False) * 10_000


@attack("empty continuation frames, before hello", kinds=FRAMES)
def _empty_continuations_before(socket: WebSocket, number: int) -> bytes:
    return _empty_continuations(socket, number)


@attack("continuation frames of one byte, before hello", connections=10, kinds=FRAMES)
def _small_continuations(socket: WebSocket, number: int) -> bytes:
    begin = socket.frame(TEXT, b"[", fin=False) if number == 0 else b""
    return begin + socket.frame(CONTINUATION, b" ", fin=False) * 5_000


@attack("empty messages", secret=True, reads=True, kinds=("picows", "aiohttp", "tornado", "reverse"))
def _empty_messages(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, b"") * 5_000


@attack("little that expands to much, before hello", deflates=True, kinds=("picows", "aiohttp"))
def _bomb_before(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, _BOMB, rsv1=True)


@attack("little that expands to much", deflates=True, secret=True, kinds=("picows", "aiohttp"))
def _bomb(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, _BOMB, rsv1=True)


@attack("many small objects", secret=True, reads=True)
def _small_objects(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, wire.chunk(_call_of(_array32(3 * MIB) + b"\x90" * (3 * MIB))))


@attack("many small objects, before hello", connections=20)
def _small_objects_before(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, wire.chunk(_call_of(_array32(60_000) + b"\x90" * 60_000)))


@attack("errors that repeat what was sent", secret=True)
def _echoes(socket: WebSocket, number: int) -> bytes:
    wrong = (wire.call("test.missing" + "\u0001" * MIB), wire.subscribe(1, "\u0001" * MIB, {}),
             wire.subscribe(1, "test.topic", {"row": "\u0001" * MIB}), wire.call("test.quick", "\u0001" * MIB),
             wire.call("test.quick", **{"\u0001" * MIB: 1}))  # fmt: skip
    return _message(socket, wrong[number % len(wrong)])


@attack("keys whose hashes are equal, before hello", connections=4)
def _colliding_keys(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, wire.chunk(_HELLO_OF_COLLIDING_KEYS))


@attack("numbers in filters whose hashes are equal", secret=True, reads=True, version=1)
def _colliding_numbers(socket: WebSocket, _: int) -> bytes:
    numbers = [n * (2**61 - 1) for n in range(1, 4_097)]
    return socket.frame(TEXT, wire.text(wire.subscribe(1, "test.topic", {"row": numbers})))


# Partial --------------------------------------------------------------------------------------------------------------


@attack(
    "frames but for their last byte, before hello", kinds=FRAMES, connections=50, once=True, growth=50 * ARRIVING_BYTES
)
def _partial_frames(socket: WebSocket, _: int) -> bytes:
    return socket.frame(BINARY, bytes(4 * MIB))[:-1]


@attack("chunks of one byte, before hello", kinds=FRAMES, connections=50, once=True, growth=50 * HELLO_BYTES)
def _small_chunks(socket: WebSocket, _: int) -> bytes:
    return b"".join(socket.frame(BINARY, wire.chunk(b"x", offset, 60_000, 7)) for offset in range(59_999, 1, -2))


@attack("messages that are not ended, before hello", connections=50, once=True, growth=50 * ARRIVING_BYTES)
def _unended(socket: WebSocket, _: int) -> bytes:
    return b"".join(socket.frame(BINARY, wire.chunk(bytes(60_000), 0, 64_000, n)) for n in range(64))


@attack("chunks of one byte", secret=True)
def _small_chunks_after(socket: WebSocket, number: int) -> bytes:
    return b"".join(
        socket.frame(BINARY, wire.chunk(b"x", 2 * offset + 1, 1 << 30, number % 64)) for offset in range(4_000)
    )


@attack("announced attachments", secret=True)
def _attachments(socket: WebSocket, number: int) -> bytes:
    keys = [f"wslink_bin{number}{n:06}" for n in range(1000)]
    header = {"wslink": "1.0", "method": "wslink.binary.attachment", "args": keys}
    return socket.frame(BINARY, wire.message(header))


# Work -----------------------------------------------------------------------------------------------------------------


@attack("calls in a row", secret=True, reads=True)
def _calls(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.quick")) for _ in range(2_000))


@attack("calls in a row, of many clients", secret=True, reads=True, connections=20)
def _calls_of_many(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.quick")) for _ in range(2_000))


@attack("calls whose answers are not read", secret=True)
def _unread_calls(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.quick")) for _ in range(2_000))


@attack("big results that are not read", secret=True, connections=1, growth=PROCESS_BYTES + 64 * MIB)
def _unread_results(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.big", MIB)) for _ in range(200))


@attack("publications that are not read", secret=True, connections=10)
def _unread_publications(socket: WebSocket, number: int) -> bytes:
    begin = _message(socket, wire.subscribe(1, "test.topic", {})) if number == 0 else b""
    return begin + b"".join(_message(socket, wire.call("test.publish")) for _ in range(100))


@attack("subscriptions in a row", secret=True, reads=True)
def _subscriptions(socket: WebSocket, _: int) -> bytes:
    definition = {f"tag{n}": n for n in range(32)}
    return b"".join(_message(socket, wire.subscribe(n, "test.topic", definition)) for n in range(1, 500))


@attack("hellos in a row", secret=True, reads=True)
def _hellos(socket: WebSocket, _: int) -> bytes:
    return _message(socket, wire.hello()) * 2_000


@attack("wrong secrets in a row", reads=True)
def _wrong_hellos(socket: WebSocket, _: int) -> bytes:
    return _message(socket, wire.hello("wrong")) * 1_000


@attack("unknown methods in a row", secret=True, reads=True)
def _unknown(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.unknown")) for _ in range(2_000))


@attack("wrong arguments in a row", secret=True, reads=True)
def _wrong_arguments(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.quick", "x", y=1)) for _ in range(2_000))


@attack("calls that take long", secret=True, reads=True, connections=16)
def _long_calls(socket: WebSocket, number: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.later", 60)) for _ in range(1_024)) if number == 0 else b""


@attack("filters of many conditions", secret=True, reads=True)
def _filters(socket: WebSocket, number: int) -> bytes:
    if number >= 8:
        return b""
    conditions = {"row": {"gte": 0}, "kind": {"ne": "x"}, **{f"tag{n}": {"gte": n} for n in range(30)}}
    return b"".join(
        _message(socket, wire.subscribe(n, "test.topic", conditions))
        for n in range(number * 128 + 1, number * 128 + 129)
    )


@attack("filters that match on a common tag", secret=True, reads=True, connections=4)
def _matching_filters(socket: WebSocket, number: int) -> bytes:
    if number >= 8:
        return b""
    conditions = {"row": {"gte": 0, "lt": 100, "ne": -1}, "kind": ["frame", "other"]}
    return b"".join(
        _message(socket, wire.subscribe(n, "test.topic", conditions))
        for n in range(number * 128 + 1, number * 128 + 129)
    )


@attack("filters of many values", secret=True, reads=True)
def _values(socket: WebSocket, number: int) -> bytes:
    values = [f"{number} {n} of a value that is long" for n in range(4_000)]
    return _message(socket, wire.subscribe(number % 1000 + 1, "test.topic", {f"tag{n}": values for n in range(8)}))


# Handshakes -----------------------------------------------------------------------------------------------------------


@attack("connections that come and go", connections=8)
def _come_and_go(socket: WebSocket, _: int) -> bytes:
    return socket.frame(CLOSE, b"\x03\xe8")


@attack("clients that come and go", connections=8, secret=True, reads=True)
def _clients_come_and_go(socket: WebSocket, _: int) -> bytes:
    return socket.frame(CLOSE, b"\x03\xe8")


# Running --------------------------------------------------------------------------------------------------------------


def _array32(size: int) -> bytes:
    return b"\xdd" + size.to_bytes(4, "big")


def _call_of(argument: bytes) -> bytes:
    """A call with one argument, which is MessagePack already."""
    start = msgpack.packb({"wslink": "1.0", "id": "rpc:c0:1", "method": "test.quick"})
    return b"\x84" + start[1:] + msgpack.packb("args") + b"\x91" + argument


def _colliding() -> bytes:
    """A map whose keys are arrays of -1 and -2, which have one hash in CPython."""
    keys = [bytes([0x9B]) + bytes(0xFF if n >> bit & 1 else 0xFE for bit in range(11)) for n in range(2_048)]
    return b"\xde" + len(keys).to_bytes(2, "big") + b"".join(key + b"\x01" for key in keys)


_BOMB = wire.deflated(bytes(4 * MIB - 4096))
_HELLO_OF_COLLIDING_KEYS = (
    b"\x84" + msgpack.packb({"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello"})[1:]
    + msgpack.packb("args") + b"\x91" + _colliding()
)  # fmt: skip


@dataclass
class Outcome:
    """What an attacker saw.

    Attributes:
        connections: how many it made.
        ended: how many of these the other side ended.
        sent: bytes.
        refusals: what its close frames said, each once.
    """

    connections: int = 0
    ended: int = 0
    sent: int = 0
    refusals: list[str] = field(default_factory=list)


class _Attacker:
    """One connection of an attack. It is made again when the other side ends it."""

    def __init__(self, attack: Attack, target: Target, outcome: Outcome) -> None:
        self._attack = attack
        self._target = target
        self._outcome = outcome
        self._socket: WebSocket | None = None
        self._pending = memoryview(b"")
        self._asked = 0
        self._retry = 0.0

    def step(self) -> None:
        """Send and receive what goes without waiting."""
        try:
            if self._socket is None:
                self._open()
            elif self._attack.reads:
                self._read(self._socket)
            if self._socket is not None:
                self._write(self._socket)
        except (Ended, OSError) as error:
            self._outcome.ended += self._socket is not None
            self._drop(str(error))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _open(self) -> None:
        if time.monotonic() < self._retry:
            return
        self._retry = time.monotonic() + 0.02
        extensions = "permessage-deflate" if self._attack.deflates else ""
        socket = WebSocket.open(self._target, 2, extensions)
        if self._attack.secret:
            socket.hello(version=self._attack.version, features=list(self._attack.features))
        self._outcome.connections += 1
        socket.sock.setblocking(False)
        self._socket, self._pending, self._asked = socket, memoryview(b""), 0

    def _drop(self, reason: str) -> None:
        if reason and reason not in self._outcome.refusals and len(self._outcome.refusals) < 8:
            self._outcome.refusals.append(reason)
        self.close()
        self._socket, self._retry = None, time.monotonic() + 0.02

    def _read(self, socket: WebSocket) -> None:
        try:
            for _ in range(16):
                if not socket.sock.recv(1 << 18):
                    raise Ended("")
        except BlockingIOError:
            pass

    def _write(self, socket: WebSocket) -> None:
        if not self._pending:
            if self._attack.once and self._asked:
                self._watch(socket)
                return
            self._pending = memoryview(self._attack.payload(socket, self._asked))
            self._asked += 1
        try:
            while self._pending:
                size = socket.sock.send(self._pending[: 1 << 18])
                self._outcome.sent += size
                self._pending = self._pending[size:]
        except BlockingIOError:
            self._watch(socket)

    def _watch(self, socket: WebSocket) -> None:
        """See whether the other side has ended a connection that is not read."""
        readable, _, _ = select.select([socket.sock], [], [], 0)
        if readable and self._attack.once and not socket.sock.recv(1 << 16):
            raise Ended("")


def run(name: str, target: Target, seconds: float) -> Outcome:
    """Attack for so long."""
    attack, outcome = ATTACKS[name], Outcome()
    attackers = [_Attacker(attack, _place(target, number), outcome) for number in range(attack.connections)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for one in attackers:
            one.step()
            if time.monotonic() >= end:
                break
        time.sleep(0.0005)
    for one in attackers:
        one.close()
    return outcome


def _place(target: Target, number: int) -> Target:
    """Where the connection of that number goes: at a relay, no two to one path."""
    return target._replace(path=f"/proxy/{number + 2}") if target.kind == "relay" else target


def main(name: str, target: Target, seconds: float, answers: Any) -> None:
    """Attack, in a process of its own; the outcome goes to the pipe `answers`."""
    if target.dialed:
        listen(target.port)
    answers.send("ready")
    answers.recv()
    answers.send(run(name, target, seconds))
