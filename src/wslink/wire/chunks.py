"""Chunks of the second generation: a message cut into frames, and put together again (G2-1 to G2-10)."""

from __future__ import annotations

import itertools
import os
import struct
from bisect import bisect_right
from collections.abc import Sequence

from wslink.errors import LimitExceeded, ParseError
from wslink.wire.frames import Buffer, Frame, Message, message
from wslink.wire.limits import Limits

HEADER = struct.Struct("<III")  # G2-2: message id, offset, total
HEADER_LENGTH = HEADER.size

COPY_BELOW = 1024
"""Chunks of fewer bytes are copied out of their frame: that costs less than a view. No array in one needs its alignment
(ARR-4)."""
JOIN_BELOW = 4096
"""Messages of fewer bytes are copied into one buffer: that costs less than to handle several."""
MAX_STRAY_CHUNKS = 4096
"""Chunks of one message that may wait for an earlier one. Bounds the bookkeeping that tiny chunks cost."""

# G2-4. One sequence for the process: a message sent to many clients is cut once.
_ids = itertools.count(int.from_bytes(os.urandom(4), "little"))


def next_message_id() -> int:
    return next(_ids) & 0xFFFFFFFF


def whole(text: bytes, max_frame: int) -> Message:
    """A message that is one piece; see `cut`. The way of nearly every result."""
    total = len(text)
    size = HEADER_LENGTH + total
    if size >= JOIN_BELOW or size > max_frame:
        return cut((text,), total, max_frame, False)
    return Message((Frame(True, (HEADER.pack(next(_ids) & 0xFFFFFFFF, 0, total) + text,), size, False),), size)


def cut(parts: Sequence[Buffer], total: int, max_frame: int, dense: bool, message_id: int | None = None) -> Message:
    """Cut a message into chunks, without copying its large parts.

    Args:
        parts: the message, to be read back to back.
        total: its bytes.
        max_frame: the most bytes in a frame, header included (G2-5); at least 13.
        dense: see Frame.
        message_id: the id to use; a new one unless given.
    """
    id_ = next_message_id() if message_id is None else message_id
    room = max(max_frame - HEADER_LENGTH, 1)
    if total <= room:
        size = HEADER_LENGTH + total
        whole = (HEADER.pack(id_, 0, total), *parts)
        return Message((Frame(True, (b"".join(whole),) if size < JOIN_BELOW else whole, size, dense),), size)
    frames = []
    for offset, pieces in _slices(parts, room):
        size = sum(len(piece) for piece in pieces)
        frames.append(Frame(True, (HEADER.pack(id_, offset, total), *pieces), HEADER_LENGTH + size, dense))
    return message(frames)


def _slices(parts: Sequence[Buffer], room: int) -> list[tuple[int, list[Buffer]]]:
    """Split the concatenation of `parts` every `room` bytes: (offset, pieces) of each slice."""
    slices: list[tuple[int, list[Buffer]]] = []
    offset, pieces, filled = 0, list[Buffer](), 0
    for part in parts:
        view, position = memoryview(part), 0
        while position < len(view):
            piece = view[position : position + room - filled]
            pieces.append(piece)
            position += len(piece)
            filled += len(piece)
            if filled == room:
                slices.append((offset, pieces))
                offset, pieces, filled = offset + room, [], 0
    if pieces:
        slices.append((offset, pieces))
    return slices


def _after_header(frame: Buffer) -> memoryview:
    return memoryview(frame)[HEADER_LENGTH:]


class _Partial:
    """A message under way: the bytes from its start that have arrived, and chunks that wait for earlier ones."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._buffer = bytearray(HEADER_LENGTH)  # room as for a header, for the alignment of arrays (G2-9)
        self.stray: dict[int, memoryview] = {}
        self._offsets: list[int] = []  # of the stray chunks, ascending

    @property
    def reached(self) -> int:
        """Bytes that have arrived without a gap, from the start of the message."""
        return len(self._buffer) - HEADER_LENGTH

    @property
    def arrived(self) -> int:
        """Bytes that have arrived."""
        return self.reached + sum(len(chunk) for chunk in self.stray.values())

    def message(self) -> memoryview:
        return memoryview(self._buffer)[HEADER_LENGTH:]

    def add(self, offset: int, chunk: memoryview) -> None:
        self._refuse_overlap(offset, len(chunk))
        if offset != self.reached:
            if len(self.stray) == MAX_STRAY_CHUNKS:
                raise LimitExceeded(f"over {MAX_STRAY_CHUNKS} chunks of a message wait for an earlier one")
            self.stray[offset] = memoryview(bytes(chunk))
            self._offsets.insert(bisect_right(self._offsets, offset), offset)
            return
        self._buffer += chunk
        while (following := self.stray.pop(self.reached, None)) is not None:
            self._offsets.pop(0)
            self._buffer += following

    def _refuse_overlap(self, offset: int, length: int) -> None:
        index = bisect_right(self._offsets, offset)
        before = self._offsets[index - 1] if index else None
        after = self._offsets[index] if index < len(self._offsets) else self.total
        floor = self.reached if before is None else before + len(self.stray[before])
        if offset < floor or offset + length > after:
            raise ParseError(f"a chunk of bytes {offset} to {offset + length} overlaps another of its message")


class Unchunker:
    """Puts the messages of one connection together. Keeps only what has arrived (G2-8)."""

    def __init__(self, limits: Limits, max_message: int | None = None) -> None:
        self.max_message = limits.max_message if max_message is None else max_message
        """The largest message accepted from now on, in bytes. A server raises it after hello (G2-10)."""
        self._max_partial = limits.max_partial
        self._partial: dict[int, _Partial] = {}
        self._arrived = 0
        self._refused: dict[int, int] = {}  # message id -> bytes still to be skipped

    def receive(self, frame: Buffer) -> bytes | memoryview | None:
        """Take one frame; the message it completes, or None.

        Raises:
            ParseError: for a chunk that breaks G2-7; its message is dropped.
            LimitExceeded: for a message over LIM-3 or LIM-4; its other chunks will be skipped in silence.
        """
        size = len(frame) - HEADER_LENGTH
        if size < 0:
            raise ParseError(f"a frame has at least {HEADER_LENGTH} bytes, this one {len(frame)}")
        id_, offset, total = HEADER.unpack_from(frame)
        if size == total <= self.max_message and not (offset or self._partial or self._refused):
            return frame[HEADER_LENGTH:] if type(frame) is bytes and size < COPY_BELOW else _after_header(frame)
        chunk = _after_header(frame)
        if self._skips(id_, len(chunk)):
            return None
        if offset == 0 and len(chunk) == total and id_ not in self._partial:
            if total > self.max_message:
                raise LimitExceeded(f"a message of {total} bytes is over max_message ({self.max_message})")
            return chunk
        try:
            return self._collect(id_, offset, total, chunk)
        except (ParseError, LimitExceeded):
            self._refuse(id_, total, len(chunk))
            raise

    def release(self) -> None:
        """Forget everything under way."""
        self._partial.clear()
        self._refused.clear()
        self._arrived = 0

    def _collect(self, id_: int, offset: int, total: int, chunk: memoryview) -> memoryview | None:
        if not len(chunk) or offset + len(chunk) > total:
            raise ParseError(f"a chunk of {len(chunk)} bytes at {offset} does not lie in its message of {total} bytes")
        partial = self._partial.get(id_) or self._begin(id_, total)
        if partial.total != total:
            raise ParseError(f"chunks of one message announce totals of {partial.total} and {total} bytes")
        if self._arrived + len(chunk) > self.max_message:
            raise LimitExceeded(f"messages under way hold more than max_message ({self.max_message}) bytes")
        partial.add(offset, chunk)
        self._arrived += len(chunk)
        if partial.reached < total:
            return None
        self._arrived -= total
        del self._partial[id_]
        return partial.message()

    def _begin(self, id_: int, total: int) -> _Partial:
        if total > self.max_message:
            raise LimitExceeded(f"a message of {total} bytes is over max_message ({self.max_message})")
        if len(self._partial) >= self._max_partial:
            raise LimitExceeded(f"over max_partial ({self._max_partial}) messages are under way")
        return self._partial.setdefault(id_, _Partial(total))

    def _refuse(self, id_: int, total: int, arrived: int) -> None:
        partial = self._partial.pop(id_, None)
        if partial is not None:
            self._arrived -= partial.arrived
            arrived += partial.arrived
        if arrived < total:
            if len(self._refused) >= self._max_partial:
                del self._refused[next(iter(self._refused))]
            self._refused[id_] = total - arrived

    def _skips(self, id_: int, length: int) -> bool:
        if not self._refused or id_ not in self._refused:
            return False
        self._refused[id_] -= length
        if self._refused[id_] <= 0:
            del self._refused[id_]
        return True
