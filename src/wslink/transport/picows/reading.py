"""What picows reads: large frames in pieces, as it keeps a frame until it is whole, in a buffer that never shrinks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from wslink.transport.framing import frame_header
from wslink.wire.chunks import HEADER_LENGTH, following, is_part

PIECE = 1024 * 1024
"""Bytes of a frame that are handed on at a time. A multiple of a mask's length."""
MAX_READ = 256 * 1024
"""Bytes of smaller frames that are read at a time: all that have come are worked off together. A large one that begins
among them has to end later, so this is at most `PIECE`."""

_FIN, _MASKED, _WHOLE_BINARY = 0x80, 0x80, 0x82
_OPCODE, _LAST_OF_DATA = 0x0F, 2
_MASK_LENGTH = 4
_LONG_HEAD = 10 + _MASK_LENGTH
_BEGINNING = _LONG_HEAD + HEADER_LENGTH
"""Bytes of a large frame that are looked at."""
_SHORT = tuple(6 + second - _MASKED if _MASKED <= second < _MASKED + 126 else 0 for second in range(256))
"""By a frame's second byte, how many it has if that are few, as nearly all frames do; 0 for others."""
_REFUSED = 1 << 62
"""Where the next frame is expected after one that picows refuses: nowhere."""


class Listener(Protocol):
    """The receiver of the frames."""

    @property
    def chunked(self) -> bool:
        """Whether binary frames are chunks of messages (G2-2)."""

    def announce(self, size: int) -> None:
        """A frame of `size` bytes has begun, and comes in fragments."""

    def uncount(self, size: int) -> None:
        """What comes next begins with `size` bytes that the client has not sent."""


class InFront(asyncio.BaseProtocol):
    """Stands between a transport and picows, and passes on what is not read.

    Args:
        inner: picows's protocol.
    """

    __slots__ = ("_inner",)

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def eof_received(self) -> bool:
        return bool(self._inner.eof_received())

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._inner.connection_lost(error)


class Reader(InFront, asyncio.BufferedProtocol):
    """Stands in front of picows, and follows the frames by their heads. One of more than `PIECE` bytes becomes several:
    a chunk of a message (G2-2) smaller chunks of it, all else fragments (RFC 6455, 5.4). What is read goes to where
    picows looks for it, so that nothing is copied. It costs a small call that comes alone 3 to 5 %, and those that come
    together next to nothing: where a large frame begins cannot be known without following the small ones before it.

    Args:
        inner: picows's protocol.
        listener: gets the frames.
        max_frame: the largest frame, in bytes. picows refuses larger ones by their heads.
        ahead: bytes of the frame under way that have not come.
    """

    __slots__ = ("_ahead", "_lead", "_left", "_listener", "_max_frame", "_rest", "_room", "_take", "_view")

    def __init__(self, inner: Any, listener: Listener, max_frame: int, ahead: int) -> None:
        self._inner = inner
        self._room: Callable[[int], memoryview] = inner.get_buffer
        self._take: Callable[[int], None] = inner.buffer_updated
        self._listener = listener
        self._max_frame = max_frame
        self._ahead = ahead  # bytes that come before the next head; -1 where `_lead` or `_left` say what comes
        self._lead = b""  # what stands before what comes: a head of which the end is missing, or one that was made
        self._left = 0  # bytes of the piece under way that have not come
        self._rest: _Rest | None = None  # of the frame behind that piece
        self._view: memoryview  # what is being read into

    def get_buffer(self, sizehint: int) -> memoryview:
        view = self._view = self._room(-1)
        if self._ahead < 0 or len(view) > MAX_READ:
            return self._bounded(view)
        return view

    def buffer_updated(self, nbytes: int) -> None:
        at = self._ahead
        if at < 0:
            self._special(nbytes)
            return
        view, last = self._view, nbytes - 1
        while at < last:
            size = _SHORT[view[at + 1]]
            if not size:
                self._follow(view, at, nbytes)
                return
            at += size
        if at == last:
            self._follow(view, at, nbytes)
            return
        self._ahead = at - nbytes
        self._take(nbytes)

    def refuse(self) -> None:
        """Handle nothing that comes from now on."""
        self._take = _drop

    @property
    def room(self) -> int:
        """Bytes that fit into picows's buffer: others whenever some have come."""
        return len(self._room(-1))

    def _bounded(self, view: memoryview) -> memoryview:
        """What may be read next, after what stands before it."""
        lead = self._lead
        start = len(lead)
        view[:start] = lead
        return view[start : start + self._left if self._left else MAX_READ]

    def _special(self, nbytes: int) -> None:
        """Something stood before what has come."""
        if self._left:
            self._continue(nbytes)
        else:
            size, self._lead = len(self._lead) + nbytes, b""
            self._follow(self._view, 0, size)

    def _follow(self, view: memoryview, at: int, size: int) -> None:
        """Find out where the next frame begins: one does at `at`, and `size` bytes of `view` have come."""
        while size - at > 1:
            length = view[at + 1] - _MASKED
            if length < 0 or (length > 125 and view[at] & _OPCODE > _LAST_OF_DATA):
                at = _REFUSED
            elif length < 126:
                at += 6 + length
            elif length == 126 and size - at >= 4:
                at += 8 + (view[at + 2] << 8) + view[at + 3]
            elif length == 127 and size - at >= 10:
                length = int.from_bytes(view[at + 2 : at + 10], "big")
                if not PIECE < length <= self._max_frame:
                    at = _REFUSED if length > PIECE else at + _LONG_HEAD + length
                elif size - at >= _BEGINNING:
                    self._divide(view, at, size, length)
                    return
                else:
                    break
            else:
                break
        self._pass_on(view, at, size)

    def _pass_on(self, view: memoryview, at: int, size: int) -> None:
        """`size` bytes have come, and the next head begins at `at`."""
        if at < size:  # its end is missing
            self._lead, self._ahead, size = bytes(view[at:size]), -1, at
        else:
            self._ahead = at - size
        if size:
            self._take(size)
        if at == _REFUSED:  # picows would handle the frame if it came before the connection has ended
            self.refuse()

    def _divide(self, view: memoryview, at: int, size: int, length: int) -> None:
        """Make a piece of what has come of a large frame, whose head is at `at`."""
        rest = self._rest = _Rest(bytes(view[at : at + _BEGINNING]), length, self._listener.chunked)
        if not rest.added:
            self._listener.announce(length)
        view[at] = rest.first_byte
        view[at + 2 : at + 10] = PIECE.to_bytes(8, "big")
        self._left, self._ahead = PIECE - (size - at - _LONG_HEAD), -1
        self._take(size)

    def _continue(self, nbytes: int) -> None:
        """So much of a piece has come."""
        size, self._lead = len(self._lead) + nbytes, b""
        self._left -= nbytes
        self._take(size)
        if self._left or self._rest is None:
            return
        if self._rest.size:
            self._lead, self._left = self._rest.next()
            self._listener.uncount(self._rest.added)
        else:
            self._rest, self._ahead = None, 0


def _drop(nbytes: int) -> None:
    """In place of what takes bytes, where they count no more."""


class _Rest:
    """The rest of a frame behind its first piece.

    Args:
        beginning: of the frame: its head, and as many bytes as a chunk's header has.
        length: of its payload.
        chunked: see Listener.

    Attributes:
        added: bytes that are added to each further piece.
        first_byte: of the first piece.
        size: bytes of the payload that are left.
    """

    __slots__ = ("_header", "_last", "_mask", "added", "first_byte", "size")

    def __init__(self, beginning: bytes, length: int, chunked: bool) -> None:
        first = beginning[0]
        self._mask = beginning[10:_LONG_HEAD]
        header = self._masked(beginning[_LONG_HEAD:])
        divided = chunked and first == _WHOLE_BINARY and is_part(header, length)
        self._header = following(header, PIECE - HEADER_LENGTH) if divided else b""  # of the next piece
        self._last = first & _FIN
        self.added: int = len(self._header)
        self.first_byte: int = first if divided else first & ~_FIN
        self.size: int = length - PIECE

    def next(self) -> tuple[bytes, int]:
        """What stands before the next piece, and its bytes."""
        size = min(self.size, PIECE)
        self.size -= size
        header = self._masked(self._header)
        if header:
            first, self._header = _WHOLE_BINARY, following(self._header, size)
        else:
            first = 0 if self.size else self._last
        head = bytearray(frame_header(first, len(header) + size))
        head[1] |= _MASKED
        return b"".join((head, self._mask, header)), size

    def _masked(self, header: bytes) -> bytes:
        return bytes(byte ^ self._mask[index % _MASK_LENGTH] for index, byte in enumerate(header))
