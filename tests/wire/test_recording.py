"""The format of recordings (REC), written and read."""

from __future__ import annotations

import struct

import msgspec
import numpy as np
import pytest

from wslink.wire import recording
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.recording import About, Reader, RecordingError, TopicAbout

ABOUT = About("2.6.1", "server", 1000.0, "asked for", 3, {"a.b": TopicAbout("latest")})


def written(*records: list[object]) -> bytes:
    return b"".join(map(bytes, [*recording.head(ABOUT), *(part for record in records for part in record)]))  # type: ignore[call-overload]


def publication(payload: object, time: float = 1.5, tags: object = None) -> list[object]:
    message = V2_WITH_ARRAYS.publication("publish:a.b:0", V2_WITH_ARRAYS.pack(payload), None, 2**30)
    return [*recording.pack(recording.PUBLICATION, time, ["c1"], tags, recording.parts_of(message))]


def raw(value: object) -> list[object]:
    text = msgspec.msgpack.encode(value)
    return [struct.pack("<I", len(text)), text]


def test_what_is_written_is_read() -> None:
    """REC-1, REC-2, REC-3, REC-4: arrays as real binary, small and large."""
    large = np.arange(100_000, dtype="<f4").reshape(100, 1000)
    data = written(
        publication({"n": 1, "a": large[:2, :3]}, 1.0, {"row": 1}), publication(large), raw([99, 2.0, [], 1])
    )
    assert data.startswith(b"\x89WSREC\r\n\x01\0\0\0")
    assert large.tobytes() in data
    reader = Reader(data)
    assert reader.about == ABOUT
    first, second = reader  # a kind that is not known is left out
    assert (first.kind, first.time, first.clients, first.about) == (3, 1.0, ["c1"], {"row": 1})
    envelope = recording.decode(first.message or b"")
    assert envelope["id"] == "publish:a.b:0"
    assert envelope["result"]["n"] == 1
    np.testing.assert_array_equal(envelope["result"]["a"], large[:2, :3])
    np.testing.assert_array_equal(recording.decode(second.message or b"")["result"], large)
    assert not reader.truncated


def test_what_is_whole_of_a_file_that_was_cut_off_is_read() -> None:
    data = written(publication(1), publication(b"x" * 100_000))
    for end in (len(data) - 1, len(data) - 50_000, len(written(publication(1))) + 2):
        reader = Reader(data[:end])
        assert [recording.decode(one.message or b"")["result"] for one in reader] == [1]
        assert reader.truncated


def test_times_never_go_back() -> None:
    assert [one.time for one in Reader(written(publication(1, 2.0), publication(2, 1.0)))] == [2.0, 2.0]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin as one"),
        (b"PK\x03\x04" + bytes(100), "does not begin as one"),
        (recording.MAGIC + b"\1\0", "ends before its version"),
        (recording.MAGIC + b"\7\0\0\0", "of version 7; this wslink reads version 1"),
        (recording.MAGIC + b"\1\0\0\0", "first record is missing"),
        (
            recording.MAGIC + b"\1\0\0\0" + b"".join(raw([0, 0.0, [], {"topics": 5}, None])),
            "says wrong things of itself",
        ),  # type: ignore[arg-type]
        (written(raw(5)), r"record 2 .*at byte \d+.*"),
        (written(raw([3, 1.0, ["c"], {}, None])), "a publication has no message"),
        (written(raw([3, 1.0, [7], {}, b""])), "Expected `str`"),
        (written(raw([3, float("nan"), [], {}, b""])), "its time is nan"),
        (written(raw([3, -1.0, [], {}, b""])), "its time is -1.0"),
        (written(raw([3, 1.0, [], {"a": [1]}, b""])), "tags of a publication"),
        (written(raw([4, 1.0, [], 7])), "does not say what happened"),
        (written(raw([3, 1.0, [""] * 1_000_001, {}, b""])), "max_elements"),
        (written([b"\x04\0\0\0", b"\xdd\xff\xff\xff"]), "record 2"),
        (written([b"\x05\0\0\0", b"\xc4\xff\0\0\0"]), "record 2"),
    ],
)
def test_what_is_no_recording_is_refused_by_name(data: bytes, why: str) -> None:
    with pytest.raises(RecordingError, match=why):
        list(Reader(data))


def test_the_number_of_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """LIM-22"""
    monkeypatch.setattr(recording, "MAX_RECORDS", 2)
    assert len(list(Reader(written(publication(1), publication(2))))) == 2
    with pytest.raises(RecordingError, match="MAX_RECORDS"):
        list(Reader(written(publication(1), publication(2), publication(3))))


@pytest.mark.parametrize("message", [b"", b"\xc1", b"\x90", b"\x81\xa2id\x05", b"\x91" * 2000 + b"\xc0"])
def test_a_message_that_is_none_is_refused(message: bytes) -> None:
    from wslink.errors import ParseError

    with pytest.raises(ParseError):
        recording.decode(message)
