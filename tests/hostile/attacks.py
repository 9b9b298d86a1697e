"""What hostile peers send. Each attack runs in a process of its own, for a time that it is given."""

from __future__ import annotations

from typing import Any

import msgpack

from tests.hostile import wire
from tests.hostile.registry import (
    ARRIVING_BYTES,
    FRAMES,
    HELLO_BYTES,
    MIB,
    OUTBOX,
    PROCESS_BYTES,
    WAITING,
    Payload,
    attack,
)  # fmt: skip
from tests.hostile.sockets import WebSocket
from tests.hostile.wire import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT


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


@attack("calls that compute, in a row, of several clients", secret=True, reads=True, connections=5, alike=True)
def _computing_calls(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.compute")) for _ in range(200))


@attack("calls whose answers are not read", secret=True)
def _unread_calls(socket: WebSocket, _: int) -> bytes:
    return b"".join(_message(socket, wire.call("test.quick")) for _ in range(2_000))


@attack("calls whose answers are not read, of many clients", secret=True, connections=10, alike=True)
def _unread_calls_of_many(socket: WebSocket, number: int) -> bytes:
    return _unread_calls(socket, number)


@attack("big results that are not read", secret=True, connections=1, growth=PROCESS_BYTES + OUTBOX)
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


@attack(
    "filters that match on a common tag, of many clients",
    secret=True, reads=True, connections=20, kinds=WAITING, alike=True, long=True,
)  # fmt: skip
def _matching_filters_of_many(socket: WebSocket, number: int) -> bytes:
    return _matching_filters(socket, number)


@attack("filters of many values", secret=True, reads=True)
def _values(socket: WebSocket, number: int) -> bytes:
    values = [f"{number} {n} of a value that is long" for n in range(4_000)]
    return _message(socket, wire.subscribe(number % 1000 + 1, "test.topic", {f"tag{n}": values for n in range(8)}))


@attack(
    "filters of many values, of many clients",
    secret=True, reads=True, connections=20, kinds=("picows", "aiohttp"), long=True,
)  # fmt: skip
def _values_of_many(socket: WebSocket, number: int) -> bytes:
    return _values(socket, number)


# Handshakes -----------------------------------------------------------------------------------------------------------


@attack("connections that come and go", connections=8)
def _come_and_go(socket: WebSocket, _: int) -> bytes:
    return socket.frame(CLOSE, b"\x03\xe8")


@attack("clients that come and go", connections=8, secret=True, reads=True)
def _clients_come_and_go(socket: WebSocket, _: int) -> bytes:
    return socket.frame(CLOSE, b"\x03\xe8")


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
