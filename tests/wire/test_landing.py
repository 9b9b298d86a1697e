"""Large binary values of messages in chunks, which are put together where they stay (G2-8)."""

from __future__ import annotations

import os
import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from msgspec.msgpack import Ext

from wslink.errors import ParseError
from wslink.wire import partial
from wslink.wire.chunks import HEADER
from wslink.wire.extensions import Extension
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.v2_msgpack import V2Decoder

MIB = 1024 * 1024
encode = msgspec.msgpack.encode


def call(*args: Any, **kwargs: Any) -> bytes:
    return encode({"wslink": "1.0", "id": "rpc:c0:1", "method": "take", "args": args, "kwargs": kwargs})


def chunks(message: bytes, size: int) -> list[bytes]:
    return [
        HEADER.pack(7, start, len(message)) + message[start : start + size] for start in range(0, len(message), size)
    ]


def decode(frames: list[bytes], decoder: V2Decoder | None = None, calls: bool = True) -> Any:
    decoder = decoder or V2Decoder(Limits(), calls=calls)
    *before, last = [decoder.receive(True, memoryview(frame)) for frame in frames]
    assert all(one is INCOMPLETE for one in before)
    return last


def test_a_large_value_takes_the_memory_of_one() -> None:
    frames = chunks(call(os.urandom(16 * MIB)), 256 * 1024)
    tracemalloc.start()
    try:
        request = decode(frames)
        assert tracemalloc.get_traced_memory()[1] < 1.3 * 16 * MIB  # a buffer that grows has room for an eighth more
    finally:
        tracemalloc.stop()
    assert request.args == [msgspec.msgpack.decode(b"".join(frame[12:] for frame in frames))["args"][0]]


@pytest.mark.parametrize("calls", [False, True])
def test_messages_are_the_same_wherever_they_are_cut(monkeypatch: pytest.MonkeyPatch, calls: bool) -> None:
    monkeypatch.setattr(partial, "LAND_ABOVE", 40)
    large = [b"\xc6" + n.to_bytes(4, "big") + os.urandom(n) for n in (39, 40, 98, 500)]  # only `bin 32` lands
    for seed in range(300):
        rng = random.Random(seed)
        values = [rng.choice([encode("t" * rng.randrange(40)), encode([1, 2.5, None]), *large]) for _ in range(4)]
        args = bytes((0x90 + len(values),)) + b"".join(values)
        message = b"\x85" + b"".join(
            (encode("wslink"), encode("1.0"), encode("id"), encode("rpc:c0:1"), encode("method"), encode("take"),
             encode("args"), args, encode("kwargs"), encode({"name": [bytes(100)]}))
        )  # fmt: skip
        frames = chunks(message, rng.randrange(20, len(message)))
        if rng.random() < 0.5:
            rng.shuffle(frames)
        decoder = V2Decoder(Limits(), calls=calls)
        found = decode(frames, decoder)
        known = msgspec.msgpack.decode(message)
        assert (found.args if calls else found["args"]) == known["args"]
        assert (found.kwargs if calls else found["kwargs"]) == known["kwargs"]
        assert decoder.size == len(message)


def test_arrays_beside_it_arrive() -> None:
    numpy = pytest.importorskip("numpy")
    elements = numpy.arange(1000, dtype="<f4")
    head = encode(["<f4", 1000])
    array = Ext(1, bytes((len(head),)) + head + elements.tobytes())
    decoder = V2Decoder(Limits(), calls=True)
    decoder.accept_arrays()
    request = decode(chunks(call(bytes(2 * MIB), array), 100_001), decoder)
    assert request.args[0] == bytes(2 * MIB)
    assert (request.args[1] == elements).all()


@pytest.mark.parametrize(
    "message",
    [
        b"\x81" + encode(b"k" * 2 * MIB) + b"\x01",  # as the key of a map
        encode([b"v" * 2 * MIB])[:-9],  # shorter than it says
        encode(b"v" * 2 * MIB) + b"\x01",  # with something behind it
        b"\x92\xc1" + encode(b"v" * 2 * MIB),  # behind what is no MessagePack
    ],
)
def test_what_is_malformed_is_refused(message: bytes) -> None:
    decoder = V2Decoder(Limits(), calls=True)
    with pytest.raises(ParseError):
        decode(chunks(message, 300_000), decoder)
    assert decode(chunks(call(1), 1000), decoder).args == [1]


def test_what_stands_for_a_value_cannot_be_sent() -> None:
    other = Ext(partial.LANDED, os.urandom(16))
    request = decode(chunks(call(other, bytes(2 * MIB), other), 300_000))
    assert request.args[1] == bytes(2 * MIB)
    assert [type(one) for one in request.args] == [Extension, bytes, Extension]
