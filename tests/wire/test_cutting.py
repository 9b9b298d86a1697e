"""Messages cut into chunks and put together, at the bounds of every size (G2-4 to G2-8, RES-13, CAN-3)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from wslink.errors import LimitExceeded, ParseError
from wslink.wire import chunks
from wslink.wire.chunks import (
    ENDED,
    HEADER,
    Cutter,
    Partial,
    Unchunker,
    cut,
    frames_of,
    is_end,
    renumbered,
    whole,
)
from wslink.wire.extensions import pack_extension
from wslink.wire.frames import Frame, Message, Source, message, text_frame
from wslink.wire.limits import Limits


def chunk(id_: int, offset: int, total: int, data: bytes = b"") -> bytes:
    return HEADER.pack(id_, offset, total) + data


def unchunker(**limits: Any) -> Unchunker:
    return Unchunker(Limits(**{"max_message": 1000, "max_partial": 3, **limits}))


@pytest.mark.parametrize(
    ("size", "max_frame", "one"),
    [
        (16384, 2**20, True),
        (16385, 2**20, False),
        (4096, 4096, True),
        (4097, 4096, False),
        (500, 500, True),
        (501, 500, False),
    ],
)
def test_a_message_is_one_chunk_up_to_a_size(size: int, max_frame: int, one: bool) -> None:
    text = b"x" * (size - 12)
    for made, dense in ((whole(text, max_frame), False), (cut((text,), len(text), max_frame, True), True)):
        assert (made.size, made.source is None, len(made.frames)) == (size, one, int(one))
        if made.source is None:
            assert (made.frames[0].binary, made.frames[0].size, made.frames[0].dense) == (True, size, dense)
            assert bytes(made.frames[0].joined())[12:] == text
        else:
            assert (made.source.total, made.source.dense, made.source.max_frame) == (len(text), dense, max_frame)
            assert b"".join(made.source.parts) == text


def test_numbers_are_those_given_or_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def number(made: Message) -> Any:
        return HEADER.unpack_from(made.frames[0].joined())

    for text in (b"x", b"x" * 5000):
        assert number(whole(text, 2**20, 7)) == (7, 0, len(text))
        assert number(cut((text,), len(text), 2**20, False, 7)) == (7, 0, len(text))
        monkeypatch.setattr(chunks, "message_ids", itertools.count(2**32 - 1))
        found = [number(whole(text, 2**20))[0], number(cut((text,), len(text), 2**20, False))[0]]
        assert found == [2**32 - 1, 0]
        monkeypatch.undo()


def test_no_message_in_several_chunks_has_the_number_of_small_messages_of_extensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "message_ids", itertools.count(2**32 - 1))
    made = cut((b"x" * 20_000,), 20_000, 2**20, False)
    assert made.source is not None
    assert [Cutter(made.source).id for _ in range(3)] == [2**32 - 1, 1, 2]
    assert HEADER.unpack_from(pack_extension((1, 2)).frames[0].joined()) == (0, 0, 3)


def test_large_parts_stay_where_they_are_and_small_ones_without_their_room() -> None:
    parts = (bytes(65_535), bytes(65_536), bytearray(20), memoryview(b"x" * 20))
    made = cut(parts, sum(map(len, parts)), 2**20, False)
    assert made.source is not None
    assert made.source.parts == parts
    assert [one is other for one, other in zip(made.source.parts, parts, strict=True)] == [False, True, True, True]


SOURCE = Source((b"ab", b"", b"cdefg", b"h"), 8, True, 17)


def told(frame: Frame) -> tuple[Any, ...]:
    head, *rest = frame.parts
    assert frame.size == sum(map(len, frame.parts))
    assert (frame.binary, frame.dense) == (True, True)
    return (*HEADER.unpack(head), b"".join(rest))


def test_a_message_is_cut_as_large_as_frames_may_be() -> None:
    cutter = Cutter(SOURCE, 9)
    assert (cutter.id, cutter.offset, cutter.left) == (9, 0, 8)
    assert list(map(told, cutter)) == [(9, 0, 8, b"abcde"), (9, 5, 8, b"fgh")]
    assert (cutter.offset, cutter.left) == (8, 0)
    assert [told(one)[3] for one in frames_of(Message((), 20, SOURCE))] == [b"abcde", b"fgh"]
    assert Cutter(SOURCE, 0).id == 0


def test_a_message_is_cut_to_the_sizes_that_are_asked_for() -> None:
    cutter = Cutter(SOURCE, 9)
    found = [told(cutter.next(size)) for size in (13, 0, 14, 100)]
    assert found == [(9, 0, 8, b"a"), (9, 1, 8, b"b"), (9, 2, 8, b"cd"), (9, 4, 8, b"efgh")]
    whole_part = cutter = Cutter(Source((b"ab", b"cd"), 4, True, 100), 9)
    assert whole_part.next(14).parts[1] is cutter._source.parts[0]  # not copied


@pytest.mark.parametrize("offset", range(8))
def test_a_message_may_go_on_where_it_was_cut_off(offset: int) -> None:
    cutter = Cutter(SOURCE, 9, offset)
    assert cutter.left == 8 - offset
    found = list(map(told, cutter))
    assert found[0][:3] == (9, offset, 8)
    assert b"".join(one[3] for one in found) == b"abcdefgh"[offset:]


def test_the_end_of_a_message_has_no_bytes() -> None:
    cutter = Cutter(SOURCE, 9)
    cutter.next(14)
    end = cutter.end()
    assert (end.binary, end.size, end.dense, end.parts) == (True, 12, False, (chunk(9, 8, 8),))
    assert (cutter.left, is_end(end.joined()), is_end(chunk(9, 0, 8, b"x"))) == (0, True, False)
    assert (ENDED.size, ENDED.frames[0].size, is_end(ENDED.frames[0].joined())) == (12, 12, True)


def test_one_chunk_can_have_another_number() -> None:
    one = whole(b"text", 100, 7).frames
    again = renumbered(one, 8)
    assert bytes(again[0].joined()) == chunk(8, 0, 4, b"text")
    assert (again[0].binary, again[0].size, again[0].dense) == (True, 16, False)
    two = tuple(Cutter(SOURCE, 9))
    assert renumbered(two, 8) is two
    split = renumbered((Frame(True, (chunk(1, 0, 4), b"te", b"xt"), 16, True),), 8)
    assert (bytes(split[0].joined()), split[0].size, split[0].dense) == (chunk(8, 0, 4, b"text"), 16, True)
    texts = (text_frame(b"{}"),)
    assert renumbered(texts, 8) is texts
    assert message(texts) == Message(texts, 2)


def test_what_has_arrived_of_a_message() -> None:
    partial = Partial(10)
    partial.add(4, memoryview(b"ef"))
    assert (partial.reached, partial.arrived, partial.stray, bytes(partial.head())) == (0, 2, {4: b"ef"}, b"")
    partial.add(0, memoryview(b"abcd"))
    assert (partial.reached, partial.arrived, partial.stray, bytes(partial.head())) == (6, 6, {}, b"abcdef")
    partial.add(8, memoryview(b"i"))
    assert partial.held >= 18
    partial.forget_stray()
    partial.add(6, memoryview(b"ghij"))
    assert (bytes(partial.message()), partial.arrived) == (b"abcdefghij", 10)
    long = Partial(10_000)
    long.add(0, memoryview(bytes(9000)))
    assert len(long.head()) == 8192


@pytest.mark.parametrize(
    ("offset", "data"),
    [(0, b"x"), (1, b"x"), (4, b"xyz"), (5, b"x"), (6, b"x"), (7, b"xyz"), (11, b"xy"), (5, b"xy")],
)
def test_an_overlap_is_refused(offset: int, data: bytes) -> None:
    partial = Partial(12)
    for at, given in ((0, b"ab"), (5, b"fg"), (9, b"jk")):
        partial.add(at, memoryview(given))
    with pytest.raises(ParseError) as caught:
        partial.add(offset, memoryview(data))
    why = f"a chunk of bytes {offset} to {offset + len(data)} overlaps another of its message"
    assert caught.value.message == why
    for at, given in ((7, b"hi"), (11, b"l"), (2, b"cde")):
        partial.add(at, memoryview(given))
    assert bytes(partial.message()) == b"abcdefghijkl"


def test_a_frame_has_a_header() -> None:
    with pytest.raises(ParseError) as caught:
        unchunker().receive(b"x" * 11)
    assert caught.value.message == "a frame has at least 12 bytes, this one 11"
    assert unchunker().receive(chunk(1, 0, 0)) == b""


def test_a_small_message_is_copied_out_of_its_frame() -> None:
    taking = unchunker(max_message=5000)
    for size, frame_kind, kind in (
        (1023, bytes, bytes),
        (1024, bytes, memoryview),
        (10, bytearray, memoryview),
        (5000, bytes, memoryview),
    ):
        found = taking.receive(frame_kind(chunk(7, 0, size, b"x" * size)))
        assert (type(found), found) == (kind, b"x" * size)
        assert taking.number == 7


ENVELOPE = b"\x81\xa2id\xa5rpc:1"


def refused(taking: Unchunker, *frames: bytes) -> tuple[str, str | None]:
    for frame in frames[:-1]:
        taking.receive(frame)
    with pytest.raises((LimitExceeded, ParseError)) as caught:
        taking.receive(frames[-1])
    return caught.value.message, caught.value.id


LONG = ENVELOPE + bytes(60)
TOO_LARGE = "a message of 1001 bytes is over max_message (1000)"
TOTALS = "chunks of one message announce totals of 900 and 901 bytes"


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([chunk(1, 0, 1001, ENVELOPE)], (TOO_LARGE, "rpc:1")),
        ([chunk(1, 0, 1001, ENVELOPE + bytes(991))], (TOO_LARGE, "rpc:1")),
        ([chunk(1, 9, 1001, ENVELOPE)], (TOO_LARGE, None)),
        ([chunk(1, 0, 900, ENVELOPE), chunk(1, 9, 901, b"x")], (TOTALS, "rpc:1")),
        (
            [chunk(1, 0, 900)],
            ("a chunk of 0 bytes at 0 does not lie in its message of 900 bytes", None),
        ),
        (
            [chunk(1, 0, 20, ENVELOPE), chunk(1, 18, 20, b"xyz")],
            ("a chunk of 3 bytes at 18 does not lie in its message of 20 bytes", "rpc:1"),
        ),
        (
            [chunk(n, 0, 300, LONG) for n in range(4)],
            ("over max_partial (3) messages are under way", "rpc:1"),
        ),
        (
            [chunk(1, 0, 900, bytes(600)), chunk(2, 0, 900, bytes(400)), chunk(1, 600, 900, b"x")],
            ("messages under way hold more than max_message (1000) bytes", None),
        ),
        (
            [chunk(1, 2 * n + 1, 900, b"x") for n in range(129)],
            ("over 128 chunks wait for an earlier one of their message", None),
        ),
    ],
)
def test_what_is_refused_is_said_with_the_id_of_its_call(frames: list[bytes], told: tuple[str, str | None]) -> None:
    said, id_ = refused(unchunker(), *frames)
    assert (said, id_) == told or (id_ is None and told == (said, None))


def test_messages_at_the_bounds_are_taken() -> None:
    taking = unchunker()
    assert taking.receive(chunk(1, 0, 1000, bytes(1000))) == bytes(1000)
    assert taking.receive(chunk(1, 0, 1000, bytes(500))) is None
    assert taking.receive(chunk(1, 500, 1000, bytes(500))) == bytes(1000)
    for n in range(3):
        assert taking.receive(chunk(n, 0, 300, bytes(299))) is None
    for n in range(3):
        assert taking.receive(chunk(n, 299, 300, b"x")) == bytes(299) + b"x"
    for n in range(128):
        assert taking.receive(chunk(9, 2 * n + 1, 900, b"x")) is None
    assert taking.receive(chunk(9, 0, 900, b"x")) is None
    assert taking.receive(chunk(9, 500, 900, b"x")) is None  # the chunks before are stray no more, but for 127
    many = Unchunker(Limits(max_message=1024 * 512))
    for n in range(1024):
        assert many.receive(chunk(9, 2 * n + 1, 9000, b"x")) is None
    assert refused(many, chunk(9, 8000, 9000, b"x"))[0].startswith("over 1024 chunks wait")


def test_a_message_that_is_dropped_gives_back_its_stray_chunks() -> None:
    taking = unchunker()
    for id_, count in ((1, 127), (2, 127), (3, 128)):
        for n in range(count):
            assert taking.receive(chunk(id_, 5 * n + 1, 900, b"xxxx")) is None
        said = "overlaps" if count < 128 else "over 128 chunks"
        assert said in refused(taking, chunk(id_, 2, 900, b"x"))[0]
    assert taking.receive(chunk(4, 0, 1000, bytes(999))) is None
    assert taking.receive(chunk(4, 999, 1000, b"x")) is not None
    assert taking.partial == {}


def test_the_rest_of_what_was_refused_is_skipped() -> None:
    taking = unchunker()
    refused(taking, chunk(1, 0, 1100, bytes(100)))
    assert taking.refused == {1: 1000}
    for left in (600, 200):
        assert taking.receive(chunk(1, 0, 1100, bytes(400))) is None
        assert taking.refused == {1: left}
    assert taking.receive(chunk(1, 0, 1100, bytes(200))) is None
    assert taking.refused == {}
    refused(taking, chunk(1, 0, 900, bytes(100)), chunk(1, 50, 900, bytes(100)))
    assert taking.refused == {1: 700}
    refused(taking, chunk(2, 0, 1001, bytes(1001)))
    assert taking.refused == {1: 700}  # that one is there as a whole
    assert taking.receive(chunk(3, 0, 2, b"ok")) == b"ok"
    taking.release()
    assert (taking.refused, taking.partial) == ({}, {})


def test_a_sender_may_end_a_message() -> None:
    """CAN-3."""
    taking = unchunker()
    begun = chunk(1, 0, 900, bytes(100))
    assert "0 bytes at 900" in refused(taking, begun, chunk(1, 900, 900))[0]
    taking.release()
    taking.accepts_ends = True
    for _ in range(12):  # each gives back what it held
        assert taking.receive(begun) is None
        assert taking.receive(chunk(1, 900, 900)) is None
    refused(taking, chunk(1, 0, 1100, bytes(100)))
    assert taking.receive(chunk(1, 1100, 1100)) is None
    assert (taking.refused, taking.partial, taking.number) == ({}, {}, 1)
    assert "0 bytes at 5" in refused(taking, chunk(1, 5, 900))[0]


def test_messages_go_on_on_another_connection() -> None:
    """RES-13."""
    first, second = unchunker(), unchunker()
    first.receive(chunk(0, 0, 900, b"x"))
    first.receive(chunk(1, 0, 900, bytes(100)))
    first.receive(chunk(1, 200, 900, bytes(100)))
    first.receive(chunk(2, 5, 900, b"x"))
    begun = first.take_beginnings()
    assert (list(begun), begun[1].arrived, begun[1].resumes) == ([1], 100, True)
    assert first.partial == {}
    assert first.receive(chunk(4, 0, 1000, bytes(999))) is None  # nothing is held any more
    second.go_on(begun)
    assert "hold more" in refused(second, chunk(5, 0, 1000, bytes(901)))[0]
    assert second.receive(chunk(1, 100, 900, bytes(700))) is None
    assert second.receive(chunk(1, 800, 900, b"y" * 100)) == bytes(800) + b"y" * 100
    third = unchunker()
    third.receive(chunk(1, 0, 9, b"old"))
    fourth = unchunker()
    fourth.go_on(third.take_beginnings())
    assert fourth.receive(chunk(1, 0, 8, b"anew")) is None  # from the start, as another message
    assert fourth.receive(chunk(1, 4, 8, b"more")) == b"anewmore"
    assert fourth.receive(chunk(6, 0, 1000, bytes(999))) is None
