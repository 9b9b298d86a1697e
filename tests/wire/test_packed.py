"""Protocol version 2 by itself: messages to the byte, what is shared and copied, and the bounds of what is read."""

from __future__ import annotations

import math
from typing import Any

import msgpack
import numpy
import pytest

from wslink.errors import LimitExceeded, NotSerializable, ParseError
from wslink.wire.arrays import RawArray, array_bytes, frozen, unpack_array
from wslink.wire.chunks import HEADER, frames_of
from wslink.wire.codec import V2, V2_WITH_ARRAYS
from wslink.wire.frames import Message
from wslink.wire.heads import is_packed_response, packed_id, text_id
from wslink.wire.large import SEARCH_NODES, Large, mark_large
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE, MALFORMED_ID, Request, answerable_id, is_id
from wslink.wire.v2_msgpack import Packed, V2Decoder

BIG = 64 * 1024
FRAME = 2**20
ARRAY = numpy.arange(BIG, dtype="<u4")


def text_of(message: Message) -> bytes:
    return b"".join(bytes(frame.joined())[12:] for frame in frames_of(message))


def parts(message: Message) -> Any:
    found = msgpack.unpackb(text_of(message), strict_map_key=False)
    assert next(iter(found)) == "wslink"
    assert found.pop("wslink") == "1.0"
    return found


@pytest.mark.parametrize("payload", [1, [b"x" * BIG, {"a": bytearray(BIG)}, b"y" * 9], b"x" * BIG])
def test_messages_hold_what_they_were_given(payload: Any) -> None:
    packed = V2.pack(payload)
    for subscriptions in (None, (1, 2)):
        for options in ({}, {"traceparent": "00", "n": 1}):
            told = {} if subscriptions is None else {"subscriptions": [1, 2]}
            found = parts(V2.publication("publish:a:0", packed, subscriptions, FRAME, options))
            assert found == {"id": "publish:a:0", **options, "result": payload, **told}
    assert parts(V2.publication("publish:a:0", packed, (3,), FRAME))["subscriptions"] == [3]
    assert parts(V2.result("rpc:c0:1", payload, FRAME)) == {"id": "rpc:c0:1", "result": payload}
    error = {"code": 7, "data": payload}
    assert parts(V2.failure("rpc:c0:1", error, FRAME)) == {"id": "rpc:c0:1", "error": error}
    for options in ({}, {"progress": True, "stream": 4}):
        found = parts(V2.call("rpc:c0:1", "a.b", [payload, 2], {"c": payload}, FRAME, options))
        assert found == {"id": "rpc:c0:1", **options, "method": "a.b", "args": [payload, 2], "kwargs": {"c": payload}}
    assert parts(V2.call("rpc:c0:1", "a.b", [], {}, FRAME)) == {
        "id": "rpc:c0:1",
        "method": "a.b",
        "args": [],
        "kwargs": {},
    }
    assert msgpack.unpackb(text_of(V2.extension([3, "1", payload], FRAME))) == [3, "1", payload]


def test_what_is_mostly_binary_is_said_to_be() -> None:
    for data, text, dense in ((BIG, 10, True), (BIG, 2 * BIG, False), (10, 10, False)):
        for message in (
            V2.result("rpc:c0:1", [b"x" * data, "y" * text], FRAME),
            V2.extension([b"x" * data, "y" * text], FRAME),
            V2.publication("publish:a:0", V2.pack([b"x" * data, "y" * text]), None, FRAME),
        ):
            frames = frames_of(message)
            assert {frame.dense for frame in frames} == {dense}
            assert message.size == 12 + sum(frame.size - 12 for frame in frames)


def test_a_packed_value_can_be_put_together_elsewhere() -> None:
    for encoder, value in (
        (V2, {"a": b"x" * BIG, "b": [bytearray(BIG), 3]}),
        (V2, 7),
        (V2_WITH_ARRAYS, [ARRAY, b"y" * BIG, 1]),
    ):
        packed = encoder.pack(value)
        heads, buffers = packed.flatten()
        data = b"".join(buffers)
        restored = Packed.restore(msgpack.unpackb(msgpack.packb(heads)), memoryview(data))
        original = text_of(encoder.publication("publish:a:0", packed, (1,), FRAME))
        assert text_of(encoder.publication("publish:a:0", restored, (1,), FRAME)) == original
        assert [one.head for one in restored.splices] == [one.head for one in packed.splices]
        assert [bytes(one) for one in restored.texts] == [bytes(one) for one in packed.texts]
        found = encoder.unpack(packed)
        if value is ARRAY or isinstance(value, list):
            assert (found[0] == ARRAY).all()
            assert not numpy.shares_memory(found[0], ARRAY)
            assert found[1:] == value[1:]
        else:
            assert found == value


def test_arrays_are_extensions_where_that_was_agreed_on() -> None:
    for size in (3, 256, 20_000):
        array = numpy.arange(size, dtype="<f4")
        plain = parts(V2.result("rpc:c0:1", {"a": array}, FRAME))["result"]["a"]
        assert plain == array.tobytes()
        ext = parts(V2_WITH_ARRAYS.result("rpc:c0:1", {"a": array}, FRAME))["result"]["a"]
        assert ext.code == 1
        assert (unpack_array(memoryview(ext.data)) == array).all()
        text = text_of(V2_WITH_ARRAYS.result("rpc:c0:1", {"a": array}, FRAME))
        if size >= 256:  # ARR-4
            assert text.index(array.tobytes()) % 16 == 4
    head = 1 + ext.data[0]
    assert ext.data[:head] == b"\x08" + msgpack.packb(["<f4", 20_000])


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (2**64, "can't serialize ints < -2**63 or > 2**64 - 1"),
        ([2**70], "can't serialize ints < -2**63 or > 2**64 - 1"),
        ("\ud800", "surrogates not allowed"),
        ({(1, 2): 3}, "a map with a key of type tuple cannot be sent; keys are strings, numbers, booleans or None"),
        (
            [{"a": {b"x": 3}}],
            "a map with a key of type bytes cannot be sent; keys are strings, numbers, booleans or None",
        ),
    ],
    ids=range(5),
)
def test_what_cannot_be_sent_is_said(value: Any, why: str) -> None:
    for send in (lambda: V2.result("rpc:c0:1", value, FRAME), lambda: V2.pack(value)):
        with pytest.raises(NotSerializable) as caught:
            send()
        assert str(caught.value).endswith(why)


def test_what_is_found_of_large_values() -> None:
    large, small = b"x" * BIG, b"x" * (BIG - 1)
    assert mark_large(small) == (small, True)
    for value in (large, bytearray(large), memoryview(large)):
        found, known = mark_large(value)
        assert (type(found), bytes(found.data), known) == (Large, large, True)
    strided = memoryview(b"xy" * 8)[::2]
    assert type(mark_large(strided)[0]) is Large
    view = memoryview(b"x" * 8)
    assert mark_large(view) == (view, True)
    for value in ([1, "x"], (1, None), {"a": 1}, "x", [], {}, [[1, {"a": b"x"}]], {"a": [small]}):
        found, known = mark_large(value)
        assert (found is value, known) == (True, True)
    nested = {"a": [1, (large,)], "b": [2]}
    found, known = mark_large(nested)
    assert (found["b"] is nested["b"], type(found["a"][1][0]), known, list(found)) == (True, Large, True, ["a", "b"])
    for value in ([1.5] * 64, {"a": object()}, [{(1,): b"x"}], {(1,): 1}, [object()]):
        found, known = mark_large(value)
        assert (found is value, known) == (True, False)
    assert mark_large([1.5] * 63) == ([1.5] * 63, True)
    for length, is_found in ((SEARCH_NODES - 2, True), (SEARCH_NODES - 1, False)):
        value = [small] * (length - 1) + [large]
        found, known = mark_large(value)
        assert (found is not value, known) == (is_found, is_found)
        mapped = dict(enumerate(value))
        found, known = mark_large(mapped)
        assert (found is not mapped, known) == (is_found, is_found)


def test_buffers_that_wait_are_copied_unless_they_cannot_change() -> None:
    large = bytes(BIG)
    assert frozen(large) is large
    shared = memoryview(bytes(BIG))
    assert frozen(shared).obj is shared.obj  # type: ignore[union-attr]
    wide = memoryview(numpy.zeros(BIG // 8)).toreadonly()
    view = frozen(wide)
    assert isinstance(view, memoryview)
    assert (view.format, view.ndim, view.nbytes) == ("B", 1, BIG)
    for value in (
        bytearray(BIG),
        memoryview(bytes(BIG - 1)),
        memoryview(bytearray(BIG)),
        memoryview(bytes(2 * BIG))[::2],
    ):
        assert type(frozen(value)) is bytes
    fixed = numpy.zeros(BIG, "u1")
    assert not numpy.shares_memory(numpy.frombuffer(array_bytes(fixed)[1], "u1"), fixed)
    fixed.flags.writeable = False
    for array, dtype, shares in (
        (fixed, "|u1", True),
        (fixed[1:], "|u1", False),
        (numpy.zeros(BIG, ">f8"), "<f8", False),
    ):
        told, data = array_bytes(array)
        assert (told, data.format, data.readonly, data.nbytes) == (dtype, "B", True, array.nbytes)
        assert numpy.shares_memory(numpy.frombuffer(data, "u1"), array) is shares


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (
            numpy.ma.masked_greater([1.0, 2.0], 1.5),
            "an array with masked elements cannot be sent; send array.filled(...), or its data and its mask",
        ),
        (
            numpy.zeros(1, "M8[s]"),
            "an array of dtype datetime64[s] cannot be sent; send array.astype('i8') and its unit, or array.tolist() "
            "of array.astype('M8[ms]' or 'm8[ms]')",
        ),
        (
            numpy.zeros(1, "m8[s]"),
            "an array of dtype timedelta64[s] cannot be sent; send array.astype('i8') and its unit, or array.tolist() "
            "of array.astype('M8[ms]' or 'm8[ms]')",
        ),
        (numpy.array(["x"]), "an array of dtype <U1 cannot be sent; allowed: |b1, |i1, |u1, <i2, <u2, <f2, <i4, "
         "<u4, <f4, <i8, <u8, <f8, <c8, <c16"),
    ],
    ids=lambda one: str(getattr(one, "dtype", "")),
)  # fmt: skip
def test_an_array_that_cannot_be_sent_is_named(array: Any, why: str) -> None:
    with pytest.raises(NotSerializable) as caught:
        array_bytes(array)
    assert str(caught.value) == why
    if isinstance(array, numpy.ma.MaskedArray):
        assert array_bytes(numpy.ma.masked_greater([1.0, 2.0], 5))[0] == "<f8"


def payload(dtype: Any, *shape: Any, data: bytes = b"") -> memoryview:
    head = msgpack.packb([dtype, *shape])
    return memoryview(bytes((len(head),)) + head + data)


DTYPES = "|b1, |i1, |u1, <i2, <u2, <f2, <i4, <u4, <f4, <i8, <u8, <f8, <c8, <c16"
NO_HEAD = f"an array must begin with a list of its dtype and shape; dtypes: {DTYPES}"
SHAPE = "an array has at most 32 dimensions, each from 0 to 2^32-1"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (memoryview(b""), NO_HEAD),
        (memoryview(b"\x01\x90"), NO_HEAD),
        (memoryview(b"\x01\xc1"), NO_HEAD),
        (payload("<f3", 1), NO_HEAD),
        (payload("|u1", -1), SHAPE),
        (payload("|u1", 2**32, 0), SHAPE),
        (payload("|u1", True), SHAPE),
        (payload("|u1", *[1] * 33, data=b"x"), SHAPE),
        (payload("<u2", 2, data=b"xxx"), "an array of shape [2] and dtype <u2 does not fit its 11 bytes"),
        (payload("<u2", 2, data=b"x" * 20), "an array of shape [2] and dtype <u2 does not fit its 28 bytes"),
    ],
)
def test_a_malformed_array_is_said(given: memoryview, why: str) -> None:
    with pytest.raises(ParseError) as caught:
        unpack_array(given)
    assert caught.value.message.replace("fit its 7 bytes", "fit its 11 bytes").split(" bytes")[0].rstrip(
        "0123456789 "
    ) == (why.split(" bytes")[0].rstrip("0123456789 "))


def test_arrays_of_all_shapes_are_read() -> None:
    assert unpack_array(payload("|u1", *[1] * 32, data=b"x")).shape == (1,) * 32
    assert unpack_array(payload("<u2", 2, data=bytes(15) + b"abcd")).tobytes() == b"abcd"
    assert unpack_array(payload("<u2", 0, 2**32 - 1)).shape == (0, 2**32 - 1)
    assert unpack_array(payload("<u2", data=b"ab")).shape == ()
    given = payload("<u2", 2, data=b"abcd")
    view, copy = unpack_array(given), unpack_array(given, copy=True)
    assert (view == copy).all()
    assert numpy.shares_memory(view, numpy.frombuffer(given, "u1"))
    assert not numpy.shares_memory(copy, numpy.frombuffer(given, "u1"))
    assert (view.flags.writeable, copy.flags.writeable) == (False, False)
    assert RawArray("<f4", (1,), given) == ("<f4", (1,), given)


def frame(value: Any, number: int = 7) -> bytes:
    text = msgpack.packb(value)
    return HEADER.pack(number, 0, len(text)) + text


CALL = {"id": "rpc:c0:1", "method": "a.b"}


@pytest.mark.parametrize("size", [0, 900, 1100, 5000])
@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
def test_what_a_frame_holds_is_told(size: int, kind: Any) -> None:
    for extra in ({"args": ["x" * size]}, {"args": [b"x" * size, {"a": 1}], "kwargs": {"b": {"c": None}}}):
        decoder = V2Decoder(Limits(), calls=True)
        found = decoder.receive(True, kind(frame({**CALL, **extra})))
        assert found == Request("a.b", "rpc:c0:1", extra["args"], extra.get("kwargs", {}))
        assert decoder.number == 7
        plain = V2Decoder(Limits())
        assert plain.receive(True, kind(frame({**CALL, **extra}, 8))) == {**CALL, **extra}
        assert (plain.number, plain.size) == (8, len(msgpack.packb({**CALL, **extra})))
        wrong = msgpack.packb({**CALL, "args": ["x" * size, {"a": 0}]}).replace(b"\x81\xa1a", b"\x81\xc4\x01a")
        for one in (V2Decoder(Limits(), calls=True), V2Decoder(Limits())):
            with pytest.raises(ParseError) as caught:
                one.receive(True, kind(HEADER.pack(7, 0, len(wrong)) + wrong))
            assert caught.value.id == "rpc:c0:1"
            assert caught.value.message == "a key of a map must be a string, a number, a boolean or null"
            assert one.number == 7


def test_messages_that_are_none() -> None:
    for given in (False, True):
        with pytest.raises(ParseError) as caught:
            V2Decoder(Limits()).receive(given, "text")
        assert caught.value.message == "a text frame arrived on a connection that speaks version 2"
    with pytest.raises(ParseError) as caught:
        V2Decoder(Limits(), calls=True).receive(True, HEADER.pack(1, 0, 3) + b"\x91\xc1\x01")
    assert caught.value.message.startswith("malformed MessagePack: ")
    with pytest.raises(ParseError) as caught:
        V2Decoder(Limits()).receive(True, HEADER.pack(1, 0, 2000) + b"\x91" * 2000)
    assert caught.value.message.startswith("malformed MessagePack: ")
    assert repr(INCOMPLETE) == "INCOMPLETE"
    assert V2Decoder(Limits()).receive(True, HEADER.pack(1, 0, 9) + b"x") is INCOMPLETE


def test_the_limits_of_a_decoder_are_raised_after_hello() -> None:
    many = frame([["x" * 4] * 1030])
    early = V2Decoder(Limits(), max_message=6000)
    with pytest.raises(LimitExceeded, match=r"max_elements \(1024\)"):
        early.receive(True, many)
    with pytest.raises(LimitExceeded, match=r"max_message \(6000\)"):
        early.receive(True, frame("x" * 6000))
    early.raise_limits(7000)
    assert len(early.receive(True, many)[0]) == 1030
    assert early.receive(True, frame("x" * 6990)) == "x" * 6990
    with pytest.raises(LimitExceeded, match=r"max_message \(7000\)"):
        early.receive(True, frame("x" * 7000))
    few = V2Decoder(Limits(max_elements=100), max_message=10**6)
    with pytest.raises(LimitExceeded, match=r"max_elements \(100\)"):
        few.receive(True, many)
    small = V2Decoder(Limits(), 60, True)
    assert small.receive(True, frame({**CALL, "args": ["x" * 20]})).args == ["x" * 20]
    with pytest.raises(LimitExceeded):
        small.receive(True, frame({**CALL, "args": ["x" * 60]}))


def test_the_id_of_a_message_that_cannot_be_read() -> None:
    def envelope(before: int, id_: Any = "rpc:c0:1") -> bytes:
        return msgpack.packb({**{f"k{n}": [n, {"a": 1}] for n in range(before)}, "id": id_, "x": 1})

    assert [packed_id(envelope(n)) for n in (0, 1, 7, 8)] == ["rpc:c0:1", "rpc:c0:1", "rpc:c0:1", None]
    assert [packed_id(envelope(0, id_)) for id_ in (5, "x" * 1024, "x" * 1025)] == [None, "x" * 1024, None]
    padded = msgpack.packb({"a": b"x" * 8150, "id": "rpc:c0:1"})
    assert (packed_id(padded), packed_id(memoryview(padded))) == ("rpc:c0:1", "rpc:c0:1")
    assert packed_id(msgpack.packb({"a": b"x" * 8190, "id": "rpc:c0:1"})) is None
    assert [packed_id(text) for text in (b"", b"\xc1", b"\x91\x01", envelope(0)[:9])] == [None] * 4
    responses = [{"result": 1}, {"error": 1}, {"id": "x", "result": 1}, {"result": 1, "method": "a"}]
    others = [{"method": "a"}, {"method": "a", "result": 1}, {"id": "x"}, {}, {f"k{n}": n for n in range(9)}]
    others.append({**{f"k{n}": n for n in range(8)}, "result": 1})
    assert {is_packed_response(msgpack.packb(one)) for one in responses} == {True}
    assert {is_packed_response(msgpack.packb(one)) for one in others} == {False}
    assert is_packed_response(msgpack.packb({**{f"k{n}": [n] for n in range(7)}, "error": 1}))
    assert not is_packed_response(b"")

    def text(before: int) -> str:
        return "{" + "".join(f'"k{n}": "v\\"{n}", ' for n in range(before)) + ' "id" : "rpc:c0:1", "x'

    assert [text_id(text(n)) for n in (0, 1, 8, 9)] == ["rpc:c0:1", "rpc:c0:1", "rpc:c0:1", None]
    assert [text_id(one) for one in (text(2).encode(), b'\xff{"id":"x"', '{"id":5', '{"n":[1],"id":"x"', "")] == [
        "rpc:c0:1",
        None,
        None,
        None,
        None,
    ]
    assert text_id('{"n":-1.5e3,"t":true,"id":"\\u0041"}') == "A"
    assert text_id('{"id":"' + "x" * 1024 + '"') == "x" * 1024
    assert text_id('{"id":"' + "x" * 1025 + '"') is None


def test_which_ids_can_be_answered() -> None:
    good, long = "x" * 1024, "x" * 1025
    assert [is_id(one) for one in ("", good, long, 5, None, "\ud800")] == [True, True, False, False, False, False]
    assert [answerable_id(one) for one in ({"id": good}, {"id": long}, {}, [1], None)] == [good, *[MALFORMED_ID] * 4]


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        ({"max_calls": 1.5}, "max_calls must be an integer, not 1.5"),
        ({"max_calls": True}, "max_calls must be an integer, not True"),
        ({"stall_timeout": "x"}, "stall_timeout must be a number, not 'x'"),
        ({"max_calls": -1}, "max_calls must be at least 0, and finite, not -1"),
        ({"stall_timeout": math.inf}, "stall_timeout must be at least 0, and finite, not inf"),
        ({"stall_timeout": math.nan}, "stall_timeout must be at least 0, and finite, not nan"),
        ({"max_msg_size": 63}, "max_msg_size must be at least 64, and finite, not 63"),
    ],
)
def test_limits_are_numbers(limits: Any, why: str) -> None:
    with pytest.raises(ValueError, match="Limits: ") as caught:
        Limits(**limits)
    assert str(caught.value) == f"Limits: {why}"


def test_the_largest_frames() -> None:
    small, large = Limits(max_msg_size=64, msg_overhead=6), Limits(max_msg_size=2**30)
    assert (small.max_frame, small.max_sent_frame) == (70, 64)
    assert (large.max_frame, large.max_sent_frame) == (2**30 + 4096, 4 * 2**20 - 4096)
    assert (Limits(max_calls=0).max_calls, Limits(stall_timeout=3).stall_timeout) == (0, 3)
