"""What is wrong with a recording, to the letter, and each record as it is read (REC)."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest

from wslink.errors import LimitExceeded, ParseError
from wslink.wire import recording
from wslink.wire.chunks import frames_of
from wslink.wire.codec import V2
from wslink.wire.limits import Limits
from wslink.wire.recording import About, Reader, Record, RecordingError, decode, head, pack, parts_of

HEAD = b"".join(map(bytes, head(About())))
AT = len(HEAD)


def record(*row: Any) -> bytes:
    text = msgspec.msgpack.encode(row)
    return struct.pack("<I", len(text)) + text


def refused(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(RecordingError) as caught:
        list(Reader(data, limits) if limits is not None else Reader(data))
    return str(caught.value)


GOOD = record(3, 1.0, ["c1"], {"row": 1}, b"\x80")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "this is not a recording of wslink: it does not begin as one"),
        (HEAD[:11], "the recording ends before its version"),
        (HEAD[:8] + b"\x02\0\0\0", "the recording is of version 2; this wslink reads version 1"),
        (HEAD[:12], "the recording does not say what it holds: its first record is missing"),
        (HEAD[:12] + GOOD, "the recording does not say what it holds: its first record is missing"),
        (
            HEAD[:12] + record(0, 0.0, [], {"created": "x"}),
            "the recording says wrong things of itself: Expected `float`, got `str` - at `$.created`",
        ),
        (
            HEAD + record(3, 1.0, [], {}, None),
            f"record 2 of the recording (at byte {AT}): a publication has no message",
        ),
        (HEAD + record(1, 1.0, [], {}, None), f"record 2 of the recording (at byte {AT}): a call has no message"),
        (HEAD + record(2, 1.0, [], {}, None), f"record 2 of the recording (at byte {AT}): a response has no message"),
        (HEAD + record(5, 1.0, [], {}, None), f"record 2 of the recording (at byte {AT}): a item has no message"),
        (
            HEAD + record(6, 1.0, [], {}, None),
            f"record 2 of the recording (at byte {AT}): a call of the server has no message",
        ),
        (
            HEAD + record(7, 1.0, [], {}, None),
            f"record 2 of the recording (at byte {AT}): a response of a client has no message",
        ),
        (
            HEAD + record(4, 1.0, [], None),
            f"record 2 of the recording (at byte {AT}): an event does not say what happened",
        ),
        (HEAD + record(3, -0.5, [], {}, b""), f"record 2 of the recording (at byte {AT}): its time is -0.5"),
        (HEAD + record(3, float("inf"), [], {}, b""), f"record 2 of the recording (at byte {AT}): its time is inf"),
        (
            HEAD + GOOD + record(3, 1.0, [], {"a": None}, b""),
            f"record 3 of the recording (at byte {AT + len(GOOD)}): the tags of a publication are not text, numbers or "
            "booleans",
        ),
        (
            HEAD + record(3, 1.0, [], [1], b""),
            f"record 2 of the recording (at byte {AT}): the tags of a publication are not text, numbers or booleans",
        ),
        (
            HEAD + record("x", 1.0, []),
            f"record 2 of the recording (at byte {AT}): Expected `int`, got `str` - at `$[0]`",
        ),
    ],
    ids=range(18),
)
def test_what_is_wrong_with_a_recording(data: bytes, why: str) -> None:
    found = refused(data)
    at = found.find(" (at byte")
    assert (
        (found[:at], found[found.find("): ") :]) == (why[: why.find(" (at byte")], why[why.find("): ") :])
        if at > 0
        else (found == why)
    )


def test_records_are_counted_and_placed() -> None:
    wrong = record(4, 1.0, [], None)
    assert refused(HEAD + GOOD + wrong).startswith("record 3 of the recording (at byte ")
    few = Limits(max_elements=300)
    long = record(3, 1.0, ["c"] * 300, {}, b"")
    assert refused(HEAD + long, few).endswith("over max_elements (300) values are in one message")
    assert list(Reader(HEAD + record(3, 1.0, ["c"] * 290, {}, b""), few))


def test_each_kind_of_record_is_read() -> None:
    data = HEAD + b"".join(
        [
            record(4, 0.5, ["c1"], "connect"),
            record(3, 0.0, ["c1", "c2"], {"row": 1, "on": True, "x": 1.5, "n": "a"}, b"\x81"),
            record(3, 2.0, [], None, b""),
            record(1, 2.5, ["c1"], {"ignored": 1}, b"\x82", "of a later version"),
            record(8, 9.0, [], None, b""),
            record(0, 9.0, [], None, b""),
            record(7, 3.0, [], None, b"\x83"),
        ]
    )
    reader = Reader(data)
    assert [one._replace(message=None if one.message is None else bytes(one.message)) for one in reader] == [
        Record(4, 0.5, ["c1"], "connect", None),
        Record(3, 0.5, ["c1", "c2"], {"row": 1, "on": True, "x": 1.5, "n": "a"}, b"\x81"),
        Record(3, 2.0, [], None, b""),
        Record(1, 2.5, ["c1"], None, b"\x82"),
        Record(7, 3.0, [], None, b"\x83"),
    ]
    assert not reader.truncated
    for end in (len(data) - 1, AT + 1, AT + 3, AT + 5):
        cut = Reader(data[:end])
        list(cut)
        assert cut.truncated
    whole = Reader(HEAD)
    assert (list(whole), whole.truncated, whole.about) == ([], False, About())


def test_a_record_is_written_as_it_is_read() -> None:
    assert b"".join(map(bytes, pack(4, 1.5, ["c"], "event", None))) == record(4, 1.5, ["c"], "event", None)
    written = b"".join(map(bytes, pack(3, 1.5, ["c"], {"a": 1}, [b"ab", memoryview(b"c")])))
    [one] = Reader(HEAD + written)
    assert (one.kind, one.time, one.clients, one.about, bytes(one.message or b"")) == (3, 1.5, ["c"], {"a": 1}, b"abc")
    for value in ("x", b"x" * 100_000):
        message = V2.result("rpc:c0:1", value, 2**20)
        text = b"".join(bytes(frame.joined())[12:] for frame in frames_of(message))
        assert b"".join(map(bytes, parts_of(message))) == text
        assert decode(text) == {"wslink": "1.0", "id": "rpc:c0:1", "result": value}


def test_messages_of_a_recording_that_are_none() -> None:
    for text in (b"\x90", b"\x80", b"\x81\xa2id\x05"):
        with pytest.raises(ParseError) as caught:
            decode(text)
        assert caught.value.message == "a message must be a map with an id"
    with pytest.raises(ParseError) as caught:
        decode(b"\xc1")
    assert caught.value.message.startswith("malformed MessagePack: ")
    many = msgspec.msgpack.encode({"id": "x", "result": ["y"] * 400})
    with pytest.raises(LimitExceeded):
        decode(many, Limits(max_elements=400))
    assert len(decode(many, Limits(max_elements=402))["result"]) == 400
    assert recording.VERSION == 1
