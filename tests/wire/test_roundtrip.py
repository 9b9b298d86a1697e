"""No message fails to survive encode, chunk, shuffle, decode."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from wslink.errors import NotSerializable, ParseError
from wslink.wire import arrays, large
from wslink.wire.chunks import HEADER_LENGTH, frames_of
from wslink.wire.codec import V1, V2, V2_WITH_ARRAYS
from wslink.wire.frames import Frame, Message
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE
from wslink.wire.v1_json import V1Decoder
from wslink.wire.v2_msgpack import V2Decoder

LIMITS = Limits()

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(), st.binary(max_size=300),
    st.sampled_from(["wslink_bin0", "wslink_bin1 in text", "NaN"]),
)  # fmt: skip
dtypes = st.sampled_from([numpy.dtype(name) for name in arrays.ITEM_SIZES])
ndarrays = st_numpy.arrays(dtypes, st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
big = st.binary(min_size=200, max_size=400)  # on both sides of SPLICE_ABOVE, as set below


@pytest.fixture(scope="module", autouse=True)
def _splice_early() -> Iterator[None]:
    """Take the path of large binary values for values that hypothesis can afford."""
    before, large.SPLICE_ABOVE = large.SPLICE_ABOVE, 256
    yield
    large.SPLICE_ABOVE = before


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, numpy.ndarray) or isinstance(b, numpy.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or a == b
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


def deliver(decoder: Any, frames: list[Frame]) -> list[Any]:
    received = (decoder.receive(frame.binary, bytes(frame.joined())) for frame in frames)
    return [message for message in received if message is not INCOMPLETE]


def encoded_sizes(message: Message) -> None:
    for frame in frames_of(message):
        assert frame.size == sum(len(part) for part in frame.parts)
    headers = HEADER_LENGTH * (len(frames_of(message)) - 1) if message.source else 0
    assert message.size + headers == sum(frame.size for frame in frames_of(message))


@settings(max_examples=150, deadline=None)
@given(nested(scalars | ndarrays | big), st.integers(13, 2000), st.randoms())
def test_second_generation_survives_shuffled_chunks(value: Any, max_frame: int, shuffle: random.Random) -> None:
    message = V2_WITH_ARRAYS.result("rpc:c1:1", value, max_frame)
    encoded_sizes(message)
    frames = list(frames_of(message))
    shuffle.shuffle(frames)
    decoder = V2Decoder(LIMITS)
    decoder.accept_arrays()
    [decoded] = deliver(decoder, frames)
    assert list(decoded) == ["wslink", "id", "result"]
    assert same(decoded["result"], value)


@settings(max_examples=60, deadline=None)
@given(st.lists(nested(scalars), min_size=2, max_size=5), st.randoms())
def test_messages_may_interleave(values: list[Any], shuffle: random.Random) -> None:
    messages = [V2.result(f"rpc:c1:{n}", value, 40) for n, value in enumerate(values)]
    frames = [frame for message in messages for frame in frames_of(message)]
    shuffle.shuffle(frames)
    decoded = {message["id"]: message["result"] for message in deliver(V2Decoder(LIMITS), frames)}
    assert all(same(decoded[f"rpc:c1:{n}"], value) for n, value in enumerate(values))


@settings(max_examples=60, deadline=None)
@given(st.lists(nested(scalars | big), max_size=3), st.dictionaries(st.text(), nested(scalars), max_size=3))
def test_calls_survive(args: list[Any], kwargs: dict[str, Any]) -> None:
    [decoded] = deliver(V2Decoder(LIMITS), list(frames_of(V2.call("rpc:c1:1", "a.b", args, kwargs, 1000))))
    assert decoded["method"] == "a.b"
    assert same(decoded["args"], args)
    assert same(decoded["kwargs"], kwargs)


json_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(), st.binary(max_size=300),
    st.text().filter(lambda text: not text.startswith("wslink_bin")),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(nested(json_scalars))
def test_first_generation_survives(value: Any) -> None:
    message = V1.result("rpc:c1:1", value, 0)
    encoded_sizes(message)
    [decoded] = deliver(V1Decoder(LIMITS), list(frames_of(message)))
    assert same(decoded["result"], value)


@pytest.mark.parametrize("encoder", [V1, V2, V2_WITH_ARRAYS])
def test_numpy_scalars_subclasses_and_mappings_travel_as_plain_values(encoder: Any) -> None:
    class Text(str):
        __slots__ = ()

    value = {
        "f": numpy.float32(0.5),
        "i": numpy.int64(3),
        "b": numpy.bool_(True),
        "t": Text("x"),
        "d": {1: 2},
        "s": (1, 2),
        "k": {numpy.int64(3): b"x"},
    }
    decoder = V1Decoder(LIMITS) if encoder is V1 else V2Decoder(LIMITS)
    [decoded] = deliver(decoder, list(frames_of(encoder.result("rpc:c1:1", value, 4096))))
    keys = {"1": 2} if encoder is V1 else {1: 2}
    named = {"3": b"x"} if encoder is V1 else {3: b"x"}
    assert decoded["result"] == {"f": 0.5, "i": 3, "b": True, "t": "x", "d": keys, "s": [1, 2], "k": named}


@pytest.mark.parametrize("encoder", [V1, V2, V2_WITH_ARRAYS])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        (object(), "object"),
        ("\ud800", "surrogates"),
        (numpy.longdouble(1), "longdouble"),
        (numpy.array(["text"]), "dtype <U4"),
        (numpy.ma.masked_greater([1.0, 2.0], 1.5), "masked"),
        ({"a": [len]}, "builtin"),
    ],
)
def test_what_cannot_be_sent_is_named(encoder: Any, value: Any, named: str) -> None:
    with pytest.raises(NotSerializable, match=named):
        encoder.result("rpc:c1:1", value, 4096)


def test_nan_and_infinities_are_bare_literals_in_the_first_generation() -> None:
    [frame] = V1.result("rpc:c1:1", [math.nan, math.inf, -math.inf], 0).frames
    assert bytes(frame.joined()).endswith(b'"result":[NaN,Infinity,-Infinity]}')


def test_a_large_read_only_array_is_sent_from_where_it_is() -> None:
    array = numpy.zeros((1024, 1024), numpy.float32)
    array.flags.writeable = False
    for encoder in (V2, V2_WITH_ARRAYS, V1):
        message = encoder.result("rpc:c1:1", {"pixels": array}, 1 << 20)  # type: ignore[attr-defined]
        views = [
            numpy.frombuffer(part, numpy.uint8)
            for frame in frames_of(message)
            for part in frame.parts
            if len(part) > 1000
        ]
        assert sum(len(view) for view in views) > array.nbytes - 4000
        assert all(numpy.shares_memory(view, array) for view in views)


@pytest.mark.parametrize("nest", [lambda x: x, lambda x: {"a": {"b": x}}, lambda x: [1, [x]], lambda x: ("t", (x,))])
def test_large_bytes_are_sent_from_where_they_are(nest: Any) -> None:
    data = bytes(100_000)
    message = V2.result("rpc:c1:1", nest(data), 1 << 20)
    assert any(part is data for frame in frames_of(message) for part in frame.parts)
    assert same(deliver(V2Decoder(LIMITS), list(frames_of(message)))[0]["result"], nest(data))


def test_a_changeable_array_may_change_once_it_is_encoded() -> None:
    for kind in (numpy.zeros(100_000, numpy.uint8), bytearray(100_000), memoryview(bytearray(100_000))):
        message = V2.result("rpc:c1:1", kind, 1 << 20)
        kind[:] = b"\x01" * 100_000 if not isinstance(kind, numpy.ndarray) else 1
        assert 1 not in bytes(frames_of(message)[0].joined())[100:]


@pytest.mark.parametrize("encoder", [V1, V2, V2_WITH_ARRAYS])
@pytest.mark.parametrize("size", [10, 3000, 30_000])
def test_what_is_small_may_change_even_under_a_read_only_view(encoder: Any, size: int) -> None:
    base, raw = numpy.zeros(size, numpy.uint8), bytearray(size)
    view = base[:]
    view.flags.writeable = False
    value = [view, memoryview(raw).toreadonly()]
    message = encoder.result("rpc:c1:1", value, 1 << 20)
    base[:], raw[:] = 255, b"\xff" * size
    head = 0 if encoder is V1 else 12
    assert b"\xff" not in b"".join(bytes(frame.joined())[head:] for frame in frames_of(message))


class Bytes(bytes):
    """A subclass, as numpy.bytes_ is."""


BUFFERS = [
    *(Bytes(b"\1" * size) for size in (10, 100_000)),
    *(memoryview(bytearray(b"\1\2" * size))[::2] for size in (10, 100_000)),
    *(memoryview(numpy.asfortranarray(numpy.ones((size, 2)))) for size in (10, 100_000)),
    *(memoryview(numpy.ones(size, ">f8")).toreadonly() for size in (10, 100_000)),
    memoryview(numpy.ones((0, 3))).toreadonly(),
    memoryview(numpy.array(1.0)),
]


@pytest.mark.parametrize("encoder", [V1, V2, V2_WITH_ARRAYS])
@pytest.mark.parametrize("value", BUFFERS, ids=range(len(BUFFERS)))
def test_every_buffer_arrives_as_its_bytes(encoder: Any, value: Any) -> None:
    decoder = V1Decoder(LIMITS) if encoder is V1 else V2Decoder(LIMITS)
    decoder.raise_limits(LIMITS.max_message)
    [decoded] = deliver(decoder, list(frames_of(encoder.result("rpc:c1:1", [value], 1 << 20))))
    assert decoded["result"] == [value.tobytes() if isinstance(value, memoryview) else value]


@settings(max_examples=50, deadline=None)
@given(st_numpy.arrays(numpy.float64, st.integers(128, 9000)), st.text(max_size=30), st.integers(3000, 40_000))
def test_array_elements_are_aligned_where_a_receiver_joins_them_as_advised(
    array: Any, text: str, max_frame: int
) -> None:
    message = V2_WITH_ARRAYS.result("rpc:c1:1", {text: array}, max_frame)
    decoder = V2Decoder(LIMITS)
    decoder.accept_arrays()
    [decoded] = deliver(decoder, list(frames_of(message)))
    assert decoded["result"][text].flags.aligned


def test_big_endian_and_strided_arrays_arrive_right() -> None:
    for array in (
        numpy.arange(6, dtype=">f8").reshape(2, 3),
        numpy.arange(20).reshape(4, 5)[::2, ::2],
        numpy.asfortranarray(numpy.eye(3)),
    ):
        [decoded] = deliver_arrays(V2_WITH_ARRAYS.result("rpc:c1:1", array, 4096))
        assert (decoded["result"] == array).all()
        assert decoded["result"].shape == array.shape


@pytest.mark.parametrize("max_frame", [100, 1 << 20])
def test_arrays_arrive_read_only_however_they_were_cut(max_frame: int) -> None:
    [decoded] = deliver_arrays(V2_WITH_ARRAYS.result("rpc:c1:1", numpy.arange(50), max_frame))
    assert not decoded["result"].flags.writeable


@pytest.mark.parametrize("size", [10, 200, 100_000])
@pytest.mark.parametrize("max_frame", [4096, 1 << 20])
def test_what_was_decoded_outlives_the_buffer_of_its_frame(size: int, max_frame: int) -> None:
    array = numpy.arange(size, dtype="<f8")
    decoder = V2Decoder(LIMITS, calls=True)
    decoder.accept_arrays()
    decoded = INCOMPLETE
    for frame in frames_of(V2_WITH_ARRAYS.call("rpc:c1:1", "a.b", [array, array.tobytes()], {}, max_frame)):
        buffer = bytearray(frame.joined())
        decoded = decoder.receive(True, memoryview(buffer))
        buffer[:] = bytes(len(buffer))  # the next frame comes into the same place
    assert decoded.args[0].flags.aligned
    assert (decoded.args[0] == array).all()
    assert decoded.args[1] == array.tobytes()


def deliver_arrays(message: Message) -> list[Any]:
    decoder = V2Decoder(LIMITS)
    decoder.accept_arrays()
    return deliver(decoder, list(frames_of(message)))


@pytest.mark.parametrize("dtype", [[1], {"a": 1}, None, 7, "<f3"])
def test_an_array_whose_dtype_is_no_name_of_one_is_malformed(dtype: Any) -> None:
    head = msgspec.msgpack.encode([dtype, 1])
    with pytest.raises(ParseError, match="must begin with a list of its dtype"):
        arrays.unpack_array(memoryview(bytes((len(head),)) + head))


def test_first_generation_text_is_json() -> None:
    frames = V1.result("rpc:c1:1", {"a": [b"x", {"b": b"y"}], "c": 'quote " and ü'}, 0).frames
    assert [frame.binary for frame in frames] == [False, True, False, True, False]
    header = json.loads(bytes(frames[0].joined()))
    assert header == {"wslink": "1.0", "method": "wslink.binary.attachment", "args": header["args"]}
    assert json.loads(bytes(frames[4].joined()))["result"]["a"][0] == header["args"][0]
