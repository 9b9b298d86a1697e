"""A bounded ring of records."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from time import monotonic
from typing import NamedTuple

import msgspec

from wslink.observe.sent import Sent
from wslink.wire.limits import MIB
from wslink.wire.messages import Request
from wslink.wire.recording import MAX_RECORDS
from wslink.wire.value import Value

COST = 256
"""Bytes that a record which is kept by itself costs beside its message."""
SEGMENT = MIB // 16
"""Bytes of small records that are kept as one piece."""
SEGMENT_COST = 256
SHARE = 16
"""Of a ring, the records that are not yet a piece take less than a part."""
MAX_KEPT = MAX_RECORDS - 10_000
"""Records that a ring has at most beside those that are not yet a piece: no recording is read that has more."""
_HEAD = b"\xdd\0\0\0\0"  # a MessagePack array of as many as the last four bytes say
_COUNT = struct.Struct(">I")


class Small(msgspec.Struct, array_like=True):
    """A small record. It is encoded at once, which takes less time and memory than keeping an object.

    Attributes:
        time: of the monotonic clock.
        message: a call as it arrived, or the chunk that was sent.
    """

    kind: int
    time: float
    client: str
    message: bytes | Request


class Kept(NamedTuple):
    """A record that is kept separately; see wire.recording.Record.

    Attributes:
        time: of the monotonic clock.
        clients: ids, or a single one.
        message: from this its message is created when it is written.
    """

    kind: int
    time: float
    clients: str | Sequence[str]
    about: Value
    message: Sent


class Piece(NamedTuple):
    """Records that are dropped together.

    Attributes:
        time: of the last of them, on the monotonic clock.
        size: the bytes that they count.
        records: their number.
        content: encoded small records, or a single one that is kept separately.
    """

    time: float
    size: int
    records: int
    content: bytes | Kept


_decode = msgspec.msgpack.Decoder(list[Small]).decode


class Ring:
    """Keeps the newest records. Records are added on one thread, and may be read from any.

    Args:
        limit: bytes that they may count together.

    Attributes:
        began: when it began, in seconds of the monotonic clock.
        left_out: the number of records that were dropped, or were larger than the ring.
        open: the newest small records, to which further ones are appended directly: calling a function would cost more
            than everything else. Whoever appends one has to increase `count`, and call `close` when `open` is longer
            than `full`.
    """

    __slots__ = ("_closed", "_large", "_limit", "_records", "_segments", "_size", "began", "count", "full", "left_out",
                 "open")  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.began: float = monotonic()
        self.left_out: int = 0
        self.open: bytearray = bytearray(_HEAD)
        self.count: int = 0
        self.full: int = min(SEGMENT, limit // SHARE)
        self._limit = limit - 2 * self.full
        self._segments: deque[Piece] = deque()
        self._large: deque[Piece] = deque()
        self._size = self._records = self._closed = 0

    def close(self) -> None:
        """Close the open records: they become a piece."""
        if self.count:
            _COUNT.pack_into(self.open, 1, self.count)
            content = bytes(self.open)
            self._closed += 1
            count, self.count = self.count, 0
            del self.open[len(_HEAD) :]
            self._keep(self._segments, Piece(monotonic(), len(content) + SEGMENT_COST, count, content))

    def add(self, kind: int, clients: str | Sequence[str], about: Value, message: Sent, size: int) -> None:
        """Keep a record separately, of `size` bytes, dropping the oldest ones if there is no room."""
        if size + COST > self._limit:
            self.left_out += 1
            return
        now = monotonic()
        self._keep(self._large, Piece(now, size + COST, 1, Kept(kind, now, clients, about, message)))

    def _keep(self, pieces: deque[Piece], piece: Piece) -> None:
        pieces.append(piece)
        self._size += piece.size
        self._records += piece.records
        while self._size > self._limit or self._records > MAX_KEPT:
            segments, large = self._segments, self._large
            oldest = segments if not large or (segments and segments[0].time < large[0].time) else large
            gone = oldest.popleft()
            self._size -= gone.size
            self._records -= gone.records
            self.left_out += gone.records

    def pieces(self) -> list[Piece]:
        """A snapshot, oldest first."""
        while True:
            before = self._closed, self.count
            found, data = [*self._segments.copy(), *self._large.copy()], bytes(self.open)
            if before == (self._closed, self.count):
                break
        found.append(Piece(monotonic(), len(data), before[1], data))
        return found

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return self._size + len(self.open)


def records(pieces: Sequence[Piece]) -> Iterator[Small | Kept]:
    """The records in pieces, oldest first."""
    segments = (_times(piece) for piece in pieces if not isinstance(piece.content, Kept))
    large = [(piece.time, piece.content) for piece in pieces if isinstance(piece.content, Kept)]
    small = (one for segment in segments for one in segment)
    return (record for _, record in merge(small, large, key=itemgetter(0)))


def _times(piece: Piece) -> Iterator[tuple[float, Small | Kept]]:
    assert isinstance(piece.content, bytes)
    return ((one.time, one) for one in _small(piece.content, piece.records))


def _small(data: bytes, count: int) -> list[Small]:
    """The records of a segment. The open one may contain a record that is not counted yet."""
    try:
        return _decode(_HEAD[:1] + _COUNT.pack(count) + data[len(_HEAD) :])
    except msgspec.DecodeError:
        return _decode(_HEAD[:1] + _COUNT.pack(count + 1) + data[len(_HEAD) :])
