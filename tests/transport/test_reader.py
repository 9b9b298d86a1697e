"""The reader of large frames, byte by byte."""

from __future__ import annotations

import random
from typing import NamedTuple

import pytest

from tests.transport.large import MASK, PIECE, frame, masked
from tests.transport.raw import BINARY, PING, TEXT
from wslink.transport.picows.reading import Reader
from wslink.wire.chunks import HEADER

MIB = 1024 * 1024
pytestmark = pytest.mark.usefixtures("pieces")


class Piece(NamedTuple):
    first: int
    payload: bytes


class Inner:
    """Reads frames as picows does, into a buffer that doubles when it is nearly full."""

    def __init__(self) -> None:
        self.buffer = bytearray(1792)
        self.filled = 0
        self.frames: list[Piece] = []

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)[self.filled :]

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes
        self.filled += nbytes
        if self.filled > 0.9 * len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        while (size := self._one()) <= self.filled:
            self.buffer[: self.filled - size] = self.buffer[size : self.filled]
            self.filled -= size

    def _one(self) -> int:
        """Take a frame; its bytes, or more than there are."""
        if self.filled < 2:
            return 2**63
        length, start = self.buffer[1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if self.filled < start:
                return 2**63
            length = int.from_bytes(self.buffer[2:start], "big")
        end = start + 4 + length
        if end <= self.filled:
            assert bytes(self.buffer[start : start + 4]) == MASK
            self.frames.append(Piece(self.buffer[0], masked(bytes(self.buffer[start + 4 : end]))))
        return end


class Chunked:
    def __init__(self, chunked: bool) -> None:
        self.chunked = chunked
        self.uncounted = self.announced = 0

    def announce(self, size: int) -> None:
        self.announced = size

    def uncount(self, size: int) -> None:
        self.uncounted += size


def read(stream: bytes, ends: list[int], chunked: bool) -> tuple[list[Piece], int]:
    """The frames that come out if the stream comes in parts that end there."""
    inner, listener = Inner(), Chunked(chunked)
    reader = Reader(inner, listener, 16 * MIB, 0)
    at = 0
    for end in [*ends, len(stream)]:
        while at < end:
            view = reader.get_buffer(-1)
            size = min(len(view), end - at)
            assert 0 < size <= PIECE
            view[:size] = stream[at : at + size]
            reader.buffer_updated(size)
            at += size
    assert len(inner.buffer) < 4 * PIECE
    return inner.frames, listener.uncounted


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_frame_becomes_pieces_wherever_it_is_cut(chunked: bool) -> None:
    random_ = random.Random(3)
    payload = HEADER.pack(8, 1000, 5 * MIB) + random_.randbytes(PIECE + 7 - HEADER.size)
    around = [frame(PING, b""), frame(TEXT, bytes(50)), frame(BINARY, bytes(300))]
    stream = b"".join((*around, frame(BINARY, payload), *around))
    start, size = sum(map(len, around)), len(payload)
    small = [Piece(0x89, b""), Piece(0x81, bytes(50)), Piece(0x82, bytes(300))]
    ends = [*range(1, 20), *range(start - 9, start + 30), *range(start + PIECE, start + size + 30, 3)]
    for end in ends:
        frames, uncounted = read(stream, [end, end + 1], chunked)
        assert frames[:3] == frames[5:] == small, end
        first, second = frames[3:5]
        if chunked:
            head = HEADER.pack(8, 1000 + PIECE - HEADER.size, 5 * MIB)
            assert (first.first, second.first, uncounted) == (0x82, 0x82, HEADER.size)
            assert (first.payload, second.payload) == (payload[:PIECE], head + payload[PIECE:]), end
        else:
            assert (first.first, second.first, uncounted) == (0x02, 0x80, 0)
            assert first.payload + second.payload == payload, end


@pytest.mark.parametrize(
    ("first", "firsts"),
    [
        (0x82, [0x02, 0x00, 0x80]),
        (0x81, [0x01, 0x00, 0x80]),
        (0xC2, [0x42, 0x00, 0x80]),  # compressed
        (0x02, [0x02, 0x00, 0x00]),  # the first of several fragments
        (0x00, [0x00, 0x00, 0x00]),
        (0x80, [0x00, 0x00, 0x80]),
    ],
)
def test_a_large_frame_that_cannot_be_chunks_becomes_fragments(first: int, firsts: list[int]) -> None:
    payload = HEADER.pack(8, 0, 3 * PIECE - HEADER.size) + bytes(range(256)) * (3 * PIECE // 256)
    payload = payload[: 3 * PIECE]  # a whole message
    stream = bytes((first,)) + frame(BINARY, payload)[1:]
    frames, uncounted = read(stream, [], chunked=True)
    assert ([one.first for one in frames], uncounted) == (firsts, 0)
    assert b"".join(one.payload for one in frames) == payload
