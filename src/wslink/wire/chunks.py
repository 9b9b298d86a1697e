"""Chunks of protocol version 2: cutting messages into frames, and putting them together again (G2-1 to G2-10)."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from wslink.errors import LimitExceeded, ParseError, PeerError
from wslink.wire.frames import Buffer, Frame, Message, Source
from wslink.wire.heads import packed_id
from wslink.wire.limits import Limits
from wslink.wire.partial import Landed, Partial

PeerErrorT = TypeVar("PeerErrorT", bound=PeerError)

HEADER = struct.Struct("<III")  # G2-2: message id, offset, total
HEADER_LENGTH = HEADER.size
pack_number: Callable[[int], bytes] = struct.Struct("<I").pack
NUMBER_LENGTH = 4

SMALL_MESSAGE = 16 * 1024
"""Messages of up to this many bytes, including the header, are a single chunk that is created once for all receivers
(LANE-1)."""
COPY_BELOW = 1024
"""Chunks of fewer bytes are copied out of their frame: that costs less than a view. No array in one needs its alignment
(ARR-4)."""
JOIN_BELOW = 4096
"""Messages of fewer bytes are small without a look at their bounds."""
FIT_BELOW = 64 * 1024
"""Texts of fewer bytes are copied, so that they take no more memory than they have bytes. Of larger ones the room
behind them is never touched, and costs nothing."""
MAX_STRAY_CHUNKS = 4096
"""Chunks of a connection that may wait for an earlier one of their message (LIM-4)."""
MIN_STRAY_CHUNKS = 128
CHUNK_COST = 512
"""Bytes that such a chunk costs beside its own at most: it is a buffer with an entry in two tables."""

# G2-4. One sequence for the process: a message sent to many clients is cut once.
message_ids: itertools.count[int] = itertools.count(int.from_bytes(os.urandom(4), "little"))

ENDED = Message((Frame(True, (HEADER.pack(0, 1, 1),), HEADER_LENGTH, False),), HEADER_LENGTH)
"""Stands for a message of which no more is sent than a chunk without bytes that says so (CAN-3)."""


def next_message_id() -> int:
    """The id of a message that may be in several chunks. Never 0, which small extension messages share."""
    return next(message_ids) & 0xFFFFFFFF or next(message_ids) & 0xFFFFFFFF


def whole(text: bytes, max_frame: int, number: int = 0) -> Message:
    """Create a message that is one piece; see `cut`. Used for nearly every result."""
    total = len(text)
    size = HEADER_LENGTH + total
    if size >= JOIN_BELOW or size > max_frame:
        return cut((text,), total, max_frame, False, number)
    payload = HEADER.pack(number or next(message_ids) & 0xFFFFFFFF, 0, total) + text
    return Message((Frame(True, (payload,), size, False),), size)


def cut(parts: Sequence[Buffer], total: int, max_frame: int, dense: bool, number: int = 0) -> Message:
    """Create a message from its parts, without copying large ones: a single chunk if it is small, otherwise a source of
    chunks.

    Args:
        parts: the parts of the message, in order.
        total: its size in bytes.
        max_frame: the most bytes in a frame, including the header (G2-5); at least 13.
        dense: see Frame.
        number: its message id if it is a single chunk; by default a new one.
    """
    size = HEADER_LENGTH + total
    if size > min(SMALL_MESSAGE, max_frame):
        return Message((), size, Source(tuple(map(_fitted, parts)), total, dense, max_frame))
    chunk = b"".join((HEADER.pack(number or next(message_ids) & 0xFFFFFFFF, 0, total), *parts))
    return Message((Frame(True, (chunk,), size, dense),), size)


def whole_source(source: Source) -> Frame:
    """A large message as a single chunk, whatever its size."""
    head = HEADER.pack(next_message_id(), 0, source.total)
    return Frame(True, (head, *source.parts), HEADER_LENGTH + source.total, source.dense)


def _fitted(part: Buffer) -> Buffer:
    """Copy `part` without the spare capacity that msgspec leaves after encoding, up to half of its size: a message may
    be kept for long (RES-4)."""
    return bytes(memoryview(part)) if type(part) is bytes and len(part) < FIT_BELOW else part


class Cutter:
    """Cuts one message into chunks of the requested sizes.

    Args:
        source: the message.
        message_id: the id of its chunks; by default a new one.
        offset: bytes of the message that the peer already has (RES-13).
    """

    __slots__ = ("_part", "_position", "_source", "id", "offset")

    def __init__(self, source: Source, message_id: int | None = None, offset: int = 0) -> None:
        self._source = source
        self.id: int = next_message_id() if message_id is None else message_id
        self._part = 0
        self._position = offset  # in that part
        while self._part < len(source.parts) and self._position >= len(source.parts[self._part]):
            self._position -= len(source.parts[self._part])
            self._part += 1
        self.offset: int = offset
        """Bytes of the message that were cut off so far."""

    @property
    def left(self) -> int:
        """Bytes that are still to be cut."""
        return self._source.total - self.offset

    def __iter__(self) -> Iterator[Frame]:
        """The chunks, each as large as allowed."""
        while self.left:
            yield self.next(self._source.max_frame)

    def next(self, size: int) -> Frame:
        """The next chunk, of at most `size` bytes including its header. `left` must not be 0."""
        source = self._source
        room = max(min(size, source.max_frame) - HEADER_LENGTH, 1)
        pieces: list[Buffer] = [HEADER.pack(self.id, self.offset, source.total)]
        taken = 0
        while taken < room and self._part < len(source.parts):
            part = source.parts[self._part]
            piece = _piece(part, self._position, room - taken)
            self._position += len(piece)
            taken += len(piece)
            if self._position >= len(part):
                self._part += 1
                self._position = 0
            if piece:
                pieces.append(piece)
        self.offset += taken
        return Frame(True, tuple(pieces), HEADER_LENGTH + taken, source.dense)

    def end(self) -> Frame:
        """The empty chunk that aborts a message (CAN-3)."""
        total = self.offset = self._source.total
        return Frame(True, (HEADER.pack(self.id, total, total),), HEADER_LENGTH, False)


def _piece(part: Buffer, start: int, room: int) -> Buffer:
    """Up to `room` bytes of `part` from `start` on; the part itself if that is all of it."""
    return part if start == 0 and len(part) <= room else memoryview(part)[start : start + room]


def renumbered(chunks: Sequence[Frame], number: int) -> Sequence[Frame]:
    """Return a single-chunk message with a new number (RES-2). Frames of version 1 are not changed."""
    chunk = chunks[0]
    if len(chunks) > 1 or not chunk.binary:
        return chunks
    head, *rest = chunk.parts
    parts = (pack_number(number), memoryview(head)[NUMBER_LENGTH:], *rest)
    return (Frame(True, parts, chunk.size, chunk.dense),)


def is_part(header: bytes, size: int) -> bool:
    """Whether a chunk, of `size` bytes with its header, is one of several of a message."""
    _, offset, total = HEADER.unpack(header)
    return bool(offset + size - HEADER_LENGTH <= total > size - HEADER_LENGTH)


def following(header: bytes, size: int) -> bytes:
    """The header of the chunk that follows one with `size` bytes of the message."""
    id_, offset, total = HEADER.unpack(header)
    return HEADER.pack(id_, (offset + size) & 0xFFFFFFFF, total)


def numbered(message: Message, number: int) -> Sequence[Frame]:
    """All frames of a message under a number of its own, however many these are."""
    return renumbered(message.frames, number) if message.source is None else tuple(Cutter(message.source, number))


def is_end(frame: Buffer) -> bool:
    """Whether a frame aborts its message (CAN-3)."""
    return len(frame) == HEADER_LENGTH


def frames_of(message: Message) -> Sequence[Frame]:
    """All frames of a message, each as large as allowed."""
    return message.frames if message.source is None else tuple(Cutter(message.source))


def _after_header(frame: Buffer) -> memoryview:
    return memoryview(frame)[HEADER_LENGTH:]


class Unchunker:
    """Assembles the messages of one connection. Memory is only used for what has arrived (G2-8).

    Args:
        limits: the limits that apply.
        max_message: the largest message; by default that of `limits`.
        lands: whether a large binary value may be assembled separately from its message, which then is a Landed.
    """

    def __init__(self, limits: Limits, max_message: int | None = None, lands: bool = False) -> None:
        self.max_message: int = limits.max_message if max_message is None else max_message
        """The largest message accepted from now on, in bytes. A server raises it after hello (G2-10)."""
        self._max_partial = limits.max_partial
        self._lands = lands
        self.partial: dict[int, Partial] = {}
        """The messages under way, by id."""
        self._arrived = 0
        self._stray = 0
        self.refused: dict[int, int] = {}
        """The bytes still to be skipped of messages that were refused, by id."""
        self.number: int = 0
        """The message id of the frame that was taken last."""
        self.accepts_ends: bool = False
        """Whether the sender may end a message before it is whole (CAN-3)."""

    def receive(self, frame: Buffer) -> bytes | memoryview | Landed | None:
        """Handle one frame. Returns the message that it completes, or None.

        Raises:
            ParseError: a chunk violates G2-7; its message is dropped.
            LimitExceeded: a message exceeds LIM-3 or LIM-4; its other chunks are skipped silently.
        """
        size = len(frame) - HEADER_LENGTH
        if size < 0:
            raise ParseError(f"a frame has at least {HEADER_LENGTH} bytes, this one {len(frame)}")
        id_, offset, total = HEADER.unpack_from(frame)
        self.number = id_
        if size == total <= self.max_message and not (offset or self.partial or self.refused):
            return frame[HEADER_LENGTH:] if type(frame) is bytes and size < COPY_BELOW else _after_header(frame)
        chunk = _after_header(frame)
        if size == 0 and offset and offset == total and self.accepts_ends:
            self._forget(id_)
            self.refused.pop(id_, None)
            return None
        if self._skips(id_, len(chunk)):
            return None
        if offset == 0 and len(chunk) == total and id_ not in self.partial:
            if total > self.max_message:
                raise self._identified(self._too_large(total), id_, offset, chunk)
            return chunk
        try:
            return self._collect(id_, offset, total, chunk)
        except (ParseError, LimitExceeded) as error:
            self._identified(error, id_, offset, chunk)
            self._refuse(id_, total, len(chunk))
            raise

    @property
    def _max_stray(self) -> int:
        """Chunks that may wait. What they cost is limited like their bytes, also before hello."""
        return min(MAX_STRAY_CHUNKS, max(self.max_message // CHUNK_COST, MIN_STRAY_CHUNKS))

    def release(self) -> None:
        """Drop all incomplete messages."""
        self.partial.clear()
        self.refused.clear()
        self._arrived = self._stray = 0

    def take_beginnings(self) -> dict[int, Partial]:
        """Return the beginnings of numbered messages that have arrived in part, after the connection has ended
        (RES-13)."""
        begun = {id_: partial for id_, partial in self.partial.items() if id_ and partial.reached}
        for partial in begun.values():
            partial.forget_stray()
            partial.resumes = True
        self.release()
        return begun

    def go_on(self, begun: Mapping[int, Partial]) -> None:
        """Restore what has arrived on the previous connection."""
        self.partial.update(begun)
        self._arrived += sum(partial.reached for partial in begun.values())

    def _identified(self, error: PeerErrorT, id_: int, offset: int, chunk: memoryview) -> PeerErrorT:
        """Add the message's id to `error`, if its beginning has arrived (ERR-5)."""
        partial = self.partial.get(id_)
        if offset == 0:
            error.id = packed_id(chunk)
        elif partial is not None and partial.reached:
            error.id = packed_id(partial.head())
        return error

    def _too_large(self, total: int) -> LimitExceeded:
        return LimitExceeded(f"a message of {total} bytes is over max_message ({self.max_message})")

    def _collect(self, id_: int, offset: int, total: int, chunk: memoryview) -> memoryview | Landed | None:
        if not len(chunk) or offset + len(chunk) > total:
            raise ParseError(f"a chunk of {len(chunk)} bytes at {offset} does not lie in its message of {total} bytes")
        partial = self.partial.get(id_)
        if partial is not None and partial.resumes:
            partial.resumes = False
            if not offset:  # its sender starts it again
                self._forget(id_)
                partial = None
        partial = partial or self._begin(id_, total)
        if partial.total != total:
            raise ParseError(f"chunks of one message announce totals of {partial.total} and {total} bytes")
        is_stray = offset != partial.reached
        if self._arrived + len(chunk) > self.max_message:
            raise LimitExceeded(f"messages under way hold more than max_message ({self.max_message}) bytes")
        if is_stray and self._stray >= self._max_stray:
            raise LimitExceeded(f"over {self._max_stray} chunks wait for an earlier one of their message")
        before = len(partial.stray)
        partial.add(offset, chunk)
        self._stray += len(partial.stray) - before
        self._arrived += len(chunk)
        if partial.reached < total:
            return None
        self._arrived -= total
        del self.partial[id_]
        return partial.message()

    def _begin(self, id_: int, total: int) -> Partial:
        if total > self.max_message:
            raise self._too_large(total)
        if len(self.partial) >= self._max_partial:
            raise LimitExceeded(f"over max_partial ({self._max_partial}) messages are under way")
        return self.partial.setdefault(id_, Partial(total, self._lands))

    def _forget(self, id_: int) -> int:
        """Drop what has arrived of a message. Returns the number of bytes."""
        partial = self.partial.pop(id_, None)
        if partial is None:
            return 0
        self._stray -= len(partial.stray)
        self._arrived -= partial.arrived
        return partial.arrived

    def _refuse(self, id_: int, total: int, arrived: int) -> None:
        arrived += self._forget(id_)
        if arrived < total:
            if len(self.refused) >= self._max_partial:
                del self.refused[next(iter(self.refused))]
            self.refused[id_] = total - arrived

    def _skips(self, id_: int, length: int) -> bool:
        if not self.refused or id_ not in self.refused:
            return False
        self.refused[id_] -= length
        if self.refused[id_] <= 0:
            del self.refused[id_]
        return True
