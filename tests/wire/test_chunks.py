"""Hostile and unusual chunks (G2-6 to G2-8)."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import pytest

from wslink.errors import LimitExceeded, ParseError
from wslink.wire.chunks import HEADER, MAX_STRAY_CHUNKS, Unchunker
from wslink.wire.limits import Limits


def chunk(id_: int, offset: int, total: int, data: bytes) -> bytes:
    return HEADER.pack(id_, offset, total) + data


@pytest.fixture
def unchunker() -> Unchunker:
    return Unchunker(Limits(max_message=1000, max_partial=3))


def test_chunks_come_in_any_order(unchunker: Unchunker) -> None:
    assert unchunker.receive(chunk(1, 4, 6, b"ef")) is None
    assert unchunker.receive(chunk(1, 2, 6, b"cd")) is None
    assert bytes(unchunker.receive(chunk(1, 0, 6, b"ab")) or b"") == b"abcdef"


def test_an_empty_message_is_complete(unchunker: Unchunker) -> None:
    assert unchunker.receive(chunk(1, 0, 0, b"")) == b""


@pytest.mark.parametrize(
    "frames",
    [
        [b"abc"],
        [chunk(1, 0, 6, b"")],
        [chunk(1, 4, 6, b"abc")],
        [chunk(1, 7, 6, b"a")],
        [chunk(1, 0, 6, b"abc"), chunk(1, 2, 6, b"cd")],
        [chunk(1, 2, 6, b"abc"), chunk(1, 0, 6, b"abc")],
        [chunk(1, 2, 6, b"abc"), chunk(1, 4, 6, b"ab")],
        [chunk(1, 0, 6, b"abc"), chunk(1, 3, 7, b"cd")],
        [chunk(1, 0, 6, b"abc"), chunk(1, 0, 3, b"abc")],
    ],
)
def test_a_malformed_chunk_is_refused_and_the_connection_goes_on(unchunker: Unchunker, frames: list[bytes]) -> None:
    for frame in frames[:-1]:
        assert unchunker.receive(frame) is None
    with pytest.raises(ParseError):
        unchunker.receive(frames[-1])
    assert bytes(unchunker.receive(chunk(2, 0, 2, b"ok")) or b"") == b"ok"


def test_a_refused_message_costs_one_error(unchunker: Unchunker) -> None:
    with pytest.raises(LimitExceeded, match=r"max_message \(1000\)"):
        unchunker.receive(chunk(1, 0, 2000, b"x" * 500))
    for offset in (500, 1000, 1500):
        assert unchunker.receive(chunk(1, offset, 2000, b"x" * 500)) is None
    assert bytes(unchunker.receive(chunk(1, 0, 2, b"ok")) or b"") == b"ok"


def test_partial_messages_are_bounded_together(unchunker: Unchunker) -> None:
    assert unchunker.receive(chunk(1, 0, 900, b"x" * 600)) is None
    with pytest.raises(LimitExceeded, match="hold more than max_message"):
        unchunker.receive(chunk(2, 0, 900, b"x" * 600))
    assert unchunker.receive(chunk(1, 600, 900, b"x" * 300)) is not None


def test_a_message_that_is_dropped_gives_back_what_it_held(unchunker: Unchunker) -> None:
    assert unchunker.receive(chunk(1, 0, 900, b"x" * 600)) is None
    with pytest.raises(ParseError):
        unchunker.receive(chunk(1, 0, 900, b"x"))
    assert unchunker.receive(chunk(2, 0, 900, b"x" * 600)) is None
    assert unchunker.receive(chunk(2, 600, 900, b"x" * 300)) is not None


def test_the_messages_to_be_skipped_are_bounded(unchunker: Unchunker) -> None:
    for id_ in range(4):
        with pytest.raises(LimitExceeded):
            unchunker.receive(chunk(id_, 0, 2000, b"x"))
    assert unchunker.receive(chunk(3, 1, 2000, b"x")) is None
    with pytest.raises(LimitExceeded):  # the first one is forgotten
        unchunker.receive(chunk(0, 1, 2000, b"x"))


def test_the_number_of_partial_messages_is_bounded(unchunker: Unchunker) -> None:
    for id_ in range(3):
        unchunker.receive(chunk(id_, 0, 9, b"x"))
    with pytest.raises(LimitExceeded, match="max_partial"):
        unchunker.receive(chunk(3, 0, 9, b"x"))


def test_stray_chunks_are_bounded() -> None:
    unchunker = Unchunker(Limits())
    for n in range(MAX_STRAY_CHUNKS):
        unchunker.receive(chunk(1, 2 * n + 1, 100_000, b"x"))
    with pytest.raises(LimitExceeded):
        unchunker.receive(chunk(1, 90_000, 100_000, b"x"))


def announce(unchunker: Unchunker) -> None:
    for id_ in range(4):
        unchunker.receive(chunk(id_, 0, 900_000_000, b"x"))


def fill(unchunker: Unchunker) -> None:
    piece = b"x" * 1_000_000
    for offset in range(0, 8_000_000, 1_000_000):
        unchunker.receive(chunk(1, offset, 8_000_000, piece))


@pytest.mark.parametrize(("act", "most"), [(announce, 100_000), (fill, 12_500_000)])
def test_memory_follows_what_has_arrived(act: Callable[[Unchunker], None], most: int) -> None:
    tracemalloc.start()
    try:
        act(Unchunker(Limits()))
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
