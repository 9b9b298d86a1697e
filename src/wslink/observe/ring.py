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
    """A small record, which is encoded as soon as it is kept: that costs less time, and less room, than an object does.

    Attributes:
        time: of the monotonic clock.
        message: a call as it has arrived; or the chunk that was sent.
    """

    kind: int
    time: float
    client: str
    message: bytes | Request


class Kept(NamedTuple):
    """A record that is kept by itself, see wire.recording.Record.

    Attributes:
        time: of the monotonic clock.
        clients: ids, or the one there is.
        message: what its message is made of when it is written.
    """

    kind: int
    time: float
    clients: str | Sequence[str]
    about: Value
    message: Sent


class Piece(NamedTuple):
    """Records that are forgotten together.

    Attributes:
        time: of the last of them, of the monotonic clock.
        size: bytes that they cost.
        records: how many they are.
        content: small records, encoded; or one that is kept by itself.
    """

    time: float
    size: int
    records: int
    content: bytes | Kept


_decode = msgspec.msgpack.Decoder(list[Small]).decode


class Ring:
    """Keeps the newest records. It is added to on one thread, and read from any.

    Args:
        limit: bytes that they take together.

    Attributes:
        began: when it began, in seconds of the monotonic clock.
        left_out: records that had to go, or were larger than the ring.
        open: the newest small records, to which further ones are added: to call a function for that would cost more
            than all the rest. Whoever adds one counts it in `count`, and calls `close` where `open` has become longer
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
        """Begin with new small records: those that are open become a piece."""
        if self.count:
            _COUNT.pack_into(self.open, 1, self.count)
            content = bytes(self.open)
            self._closed += 1
            count, self.count = self.count, 0
            del self.open[len(_HEAD) :]
            self._keep(self._segments, Piece(monotonic(), len(content) + SEGMENT_COST, count, content))

    def add(self, kind: int, clients: str | Sequence[str], about: Value, message: Sent, size: int) -> None:
        """Keep a record by itself, of `size` bytes, in the place of the oldest ones where there is no room."""
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
        """What is kept at this moment, the oldest first."""
        while True:
            before = self._closed, self.count
            found, data = [*self._segments.copy(), *self._large.copy()], bytes(self.open)
            if before == (self._closed, self.count):
                break
        found.append(Piece(monotonic(), len(data), before[1], data))
        return found

    @property
    def size(self) -> int:
        """Bytes that are kept."""
        return self._size + len(self.open)


def records(pieces: Sequence[Piece]) -> Iterator[Small | Kept]:
    """The records in pieces, the oldest first."""
    segments = (_times(piece) for piece in pieces if not isinstance(piece.content, Kept))
    large = [(piece.time, piece.content) for piece in pieces if isinstance(piece.content, Kept)]
    small = (one for segment in segments for one in segment)
    return (record for _, record in merge(small, large, key=itemgetter(0)))


def _times(piece: Piece) -> Iterator[tuple[float, Small | Kept]]:
    assert isinstance(piece.content, bytes)
    return ((one.time, one) for one in _small(piece.content, piece.records))


def _small(data: bytes, count: int) -> list[Small]:
    """The records of a segment. One may have been added to the open one that was not counted yet."""
    try:
        return _decode(_HEAD[:1] + _COUNT.pack(count) + data[len(_HEAD) :])
    except msgspec.DecodeError:
        return _decode(_HEAD[:1] + _COUNT.pack(count + 1) + data[len(_HEAD) :])
