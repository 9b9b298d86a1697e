"""Protocol version 1 by itself: what is written, to the letter, and the bounds of what is read (G1, LIM-3, LIM-5)."""

from __future__ import annotations

import enum
import json
import math
import time
from typing import Any

import numpy
import pytest

from wslink.errors import InvalidRequest, LimitExceeded, NotSerializable, ParseError, PeerError
from wslink.wire.codec import V1, V2, detect
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.messages import INCOMPLETE, Request
from wslink.wire.v1_json import V1Decoder, V1Encoder, is_plain
from wslink.wire.v2_msgpack import V2Decoder


def written(message: Message) -> list[Any]:
    assert message.size == sum(frame.size for frame in message.frames)
    assert message.source is None
    for frame in message.frames:
        assert (frame.size, frame.dense) == (sum(map(len, frame.parts)), frame.binary)
    return [bytes(frame.joined()).decode() if not frame.binary else bytes(frame.joined()) for frame in message.frames]


def head(key: str) -> str:
    return f'{{"wslink":"1.0","method":"wslink.binary.attachment","args":["{key}"]}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ü\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), '"ü😀"'),
        (3, "3"),
        (1.5, "1.5"),
        (True, "true"),
        (None, "null"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        ([1, 1.5, -math.inf], "[1,1.5,-Infinity]"),
        ((1, "x"), '[1,"x"]'),
        ({"a": [1, {"b": None}]}, '{"a":[1,{"b":null}]}'),
        ({1: 2, "x": math.nan}, '{"1":2,"x":NaN}'),
        ([2**64, 2**70], "[18446744073709551616,1180591620717411303424]"),
    ],
    ids=range(12),
)
def test_what_is_written(value: Any, text: str) -> None:
    assert written(V1.result("rpc:c0:1", value, 0)) == [f'{{"wslink":"1.0","id":"rpc:c0:1","result":{text}}}']
    assert V1.pack(value).text.decode() == text
    assert V1.pack(value).attachments in ((), [])


def test_what_is_written_with_attachments() -> None:
    packed = V1.pack({"a": b"one", "b": [numpy.frombuffer(b"two", "u1"), bytearray(b"3")]})
    keys = [key for key, _ in packed.attachments]
    numbers = [int(key.removeprefix("wslink_bin")) for key in keys]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    text = f'{{"a":"{keys[0]}","b":["{keys[1]}","{keys[2]}"]}}'
    assert packed.text.decode() == text
    frames = [part for key, data in zip(keys, (b"one", b"two", b"3"), strict=True) for part in (head(key), data)]
    assert written(V1.publication("publish:a:0", packed, (1, 2), 0)) == [
        *frames,
        f'{{"wslink":"1.0","id":"publish:a:0","result":{text},"subscriptions":[1,2]}}',
    ]
    assert written(V1.publication("publish:a:0", packed, None, 0))[-1].endswith(f'"result":{text}}}')
    assert written(V1.failure("rpc:c0:1", {"code": 7, "message": "m", "data": None}, 0)) == [
        '{"wslink":"1.0","id":"rpc:c0:1","error":{"code":7,"message":"m","data":null}}'
    ]
    [header, data, last] = written(V1.failure("rpc:c0:1", {"data": b"x"}, 0))
    assert (json.loads(header)["args"][0], data) == (json.loads(last)["error"]["data"], b"x")


class Key(enum.Enum):
    A = "a"


def test_keys_that_are_plain_only_later_attach_once() -> None:
    packed = V1.pack({"a": b"one", numpy.int64(3): b"two"})
    assert [bytes(data) for _, data in packed.attachments] == [b"one", b"two"]
    assert json.loads(packed.text) == {"a": packed.attachments[0][0], "3": packed.attachments[1][0]}
    assert json.loads(V1.pack({Key.A: 1}).text) == {"a": 1}
    for value, why in (
        (
            {(1, 2): math.nan},
            "a map with a key of type tuple cannot be sent; keys are strings, numbers, booleans or None",
        ),
        ({b"x": 1}, "a map with a key of type bytes cannot be sent; keys are strings, numbers, booleans or None"),
        (
            object(),
            "a value of type object cannot be sent; "
            "make it a dataclass, or send a dict, a list, a number or text in its place",
        ),
    ):
        with pytest.raises(NotSerializable) as caught:
            V1.pack(value)
        assert str(caught.value) == why


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *((one, True) for one in ("x", 1, True, None, 1.5, [1, 1.5], (1, "x"), {"a": [{}]}, [[1.5]], [], {})),
        *(
            (one, False)
            for one in (math.nan, [1, math.inf], b"x", {1: 2}, {"a": b"x"}, {1, 2}, numpy.int64(3), [[b""]])
        ),
        *((one, False) for one in ([math.inf, -math.inf], {"a": math.nan}, [Key.A], ["x", math.nan])),
    ],
    ids=str,
)
def test_which_values_are_written_fast(value: Any, plain: bool) -> None:
    assert is_plain(value) is plain


def received(text: str | bytes, calls: bool = False, **limits: Any) -> Any:
    return V1Decoder(Limits(**limits), calls).receive(False, text)


def refused(text: str | bytes, calls: bool = False, **limits: Any) -> tuple[type, str, str | None]:
    with pytest.raises(PeerError) as caught:
        received(text, calls, **limits)
    return type(caught.value), caught.value.message, caught.value.id


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (str(2**64 - 1), 2**64 - 1),
        (str(2**64), float(2**64)),
        (str(-(2**63)), -(2**63)),
        (str(-(2**63) - 1), float(-(2**63) - 1)),
        ("1" * 20, int("1" * 20)),
        ("-" + "1" * 19, -int("1" * 19)),
        ("-" + "1" * 20, float("-" + "1" * 20)),
        ("0.1234567890123456789012", 0.1234567890123456789012),
        ('"1234567890123456789012"', "1234567890123456789012"),
        ("NaN", math.nan),
    ],
)
def test_integers_beyond_64_bits_are_floats(text: str, value: Any) -> None:
    """G1-11."""
    for calls in (False, True):
        found = received(f'{{"id":"rpc:c0:1","method":"a.b","args":[{text}]}}', calls)
        arg = (found.args if isinstance(found, Request) else found["args"])[0]
        assert type(arg) is type(value)
        assert arg == value or (arg != arg and value != value)


CALL = '{"id":"rpc:c0:1","method":"a.b","args":[%s]}'


def test_a_call_is_told_from_other_messages() -> None:
    whole = CALL % "1"
    assert received(whole, True) == Request("a.b", "rpc:c0:1", [1])
    assert received(whole, False) == json.loads(whole)
    assert received(whole.encode(), True) == Request("a.b", "rpc:c0:1", [1])
    assert received('{"method":"a.b"}', True) == {"method": "a.b"}
    assert received('{"id":"rpc:c0:1","result":1}', True) == {"id": "rpc:c0:1", "result": 1}


@pytest.mark.parametrize("calls", [False, True])
def test_the_values_of_a_message_are_counted(calls: bool) -> None:
    """LIM-13: brackets and commas outside of text."""
    inner = ",".join(["1"] * 20)
    text = CALL % f'"{"[,{" * 30}\\"{"," * 30}",{inner}'
    count = 2 + 2 + 20  # of {, [ and commas
    limits = {"max_elements": count}
    assert received(text, calls, **limits) is not None
    why = f"over max_elements ({count - 1}) values are in one message"
    assert refused(text, calls, max_elements=count - 1) == (LimitExceeded, why, "rpc:c0:1")


@pytest.mark.parametrize("escape", ['\\"', "\\\\", "a\\n"])
def test_text_that_does_not_end_is_not_looked_at_again_and_again(escape: str) -> None:
    """Before hello, too (LIM-2): it held up all others for three quarters of a minute."""
    text = '{"a":"' + escape * (65_000 // len(escape))
    began = time.thread_time()
    assert refused(text, True)[0] is ParseError
    assert refused(text.encode(), True)[0] is ParseError
    assert time.thread_time() - began < 2  # of the processor; it is a millisecond


def test_more_values_may_come_after_hello() -> None:
    text = CALL % ",".join(["1"] * 2000)
    assert received(text) is not None
    assert refused(text, True)[1] == "over max_elements (1024) values are in one message"
    decoder = V1Decoder(Limits(), True)
    decoder.raise_limits(0)
    assert decoder.receive(False, text).args == [1] * 2000
    assert refused(text, True, max_elements=9)[1] == "over max_elements (9) values are in one message"


@pytest.mark.parametrize("calls", [False, True])
def test_a_message_is_as_large_as_it_may_be(calls: bool) -> None:
    text = CALL % f'"{"x" * 100}"'
    assert received(text, calls, max_message=len(text)) is not None
    why = f"a message of {len(text)} bytes is over max_message ({len(text) - 1})"
    assert refused(text, calls, max_message=len(text) - 1) == (LimitExceeded, why, "rpc:c0:1")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "malformed JSON: "),
        ('{"id":"rpc:c0:1",', "malformed JSON: "),
        ("[" * 100_000, "malformed JSON: it is nested too deeply"),
        (b"\xff", "malformed JSON: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ],
    ids=range(4),
)
def test_malformed_text_is_said(text: Any, why: str) -> None:
    kind, said, id_ = refused(text, max_elements=10**6)
    assert (kind, said.startswith(why), id_) == (ParseError, True, "rpc:c0:1" if "rpc" in str(text) else None)


KEYS = "an attachment header's 'args' must be a list of keys such as 'wslink_bin1'"


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], KEYS),
        ("wslink_bin1", KEYS),
        ([1], KEYS),
        (["wslink_bin"], KEYS),
        (["wslink_bin" + "1" * 33], KEYS),
        (["wslink_bin1", "other"], KEYS),
        ([f"wslink_bin{n}" for n in range(4)], "over max_attachments (3) attachments are announced"),
    ],
    ids=str,
)
def test_a_header_names_its_attachments(keys: Any, why: str) -> None:
    text = json.dumps({"method": "wslink.binary.attachment", "args": keys})
    assert refused(text, max_attachments=3)[:2] == (InvalidRequest, why)


def decoder(**limits: Any) -> V1Decoder:
    made = V1Decoder(Limits(**limits))
    made.raise_limits(0)
    return made


def attach(to: V1Decoder, **named: bytes) -> None:
    for key, data in named.items():
        assert to.receive(False, head(key)) is INCOMPLETE
        assert to.receive(True, data) is INCOMPLETE


def args_of(to: V1Decoder, *args: Any) -> Any:
    return to.receive(False, CALL % json.dumps(args)[1:-1])["args"]


def test_attachments_are_kept_up_to_their_bounds() -> None:
    """LIM-5."""
    three = decoder(max_attachments=3)
    attach(three, wslink_bin1=b"1", wslink_bin2=b"2", wslink_bin3=b"3")
    assert args_of(three, "wslink_bin1") == [b"1"]
    attach(three, wslink_bin4=b"4", wslink_bin5=b"5")
    assert args_of(three, "wslink_bin2", "wslink_bin3", "wslink_bin5") == ["wslink_bin2", b"3", b"5"]
    held = decoder(max_attachment_bytes=100)
    attach(held, wslink_bin1=b"x" * 60, wslink_bin2=b"x" * 40)
    attach(held, wslink_bin1=b"y" * 60)  # in the place of the one before
    assert args_of(held, "wslink_bin1", "wslink_bin2") == [b"y" * 60, b"x" * 40]
    attach(held, wslink_bin1=b"x" * 60, wslink_bin2=b"x" * 41)
    assert args_of(held, "wslink_bin1", "wslink_bin2") == ["wslink_bin1", b"x" * 41]
    attach(held, wslink_bin3=b"x" * 100)
    assert args_of(held, "wslink_bin3") == [b"x" * 100]
    early = V1Decoder(Limits(auth_msg_size=10))
    attach(early, wslink_bin1=b"x" * 11, wslink_bin2=b"x" * 10)
    assert args_of(early, "wslink_bin1", "wslink_bin2") == ["wslink_bin1", b"x" * 10]
    with pytest.raises(ParseError) as caught:
        early.receive(True, b"x")
    assert caught.value.message == "a binary frame arrived that no attachment header announced"


def test_an_attachment_over_max_message_is_an_error_of_its_message() -> None:
    one = decoder(max_message=200)
    attach(one, wslink_bin1=b"x" * 201, wslink_bin2=b"x" * 200)
    with pytest.raises(LimitExceeded) as caught:
        args_of(one, "wslink_bin1")
    assert caught.value.message == "attachment wslink_bin1 is over max_message (200)"
    assert args_of(one, "wslink_bin1", "wslink_bin2") == ["wslink_bin1", b"x" * 200]


def test_attachments_stand_in_arguments_and_results_alone() -> None:
    for key in ("args", "kwargs", "result"):
        one = decoder()
        attach(one, wslink_bin1=b"1")
        text = json.dumps({"id": "wslink_bin1", key: {"a": ["wslink_bin1", 3, None]}, "error": "wslink_bin1"})
        assert one.receive(False, text) == {"id": "wslink_bin1", key: {"a": [b"1", 3, None]}, "error": "wslink_bin1"}
    one = decoder()
    attach(one, wslink_bin1=b"1")
    assert one.receive(False, '["wslink_bin1"]') == ["wslink_bin1"]
    assert args_of(one, "wslink_bin1") == [b"1"]


def test_the_first_frame_tells_the_version() -> None:
    limits = Limits()
    encoder, made = detect(True, limits)
    assert (encoder, type(made), made.version) == (V2, V2Decoder, 2)
    encoder, made = detect(False, limits)
    assert (encoder, type(made), made.version, made.number) == (V1, V1Decoder, 1, 0)
    assert V1Encoder.version == 1
    assert isinstance(made.receive(False, CALL % "1"), Request)
