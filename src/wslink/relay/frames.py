"""WebSocket frames between two clients (RFC 6455, 5): frames that one sends are masked, those that the other receives
must not be.

Frames are not assembled, so messages may have any size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wslink.errors import ParseError
from wslink.transport.framing import frame_header

CLOSE, PING, PONG = 8, 9, 10
MAX_CONTROL = 125
FIN = 0x80


@dataclass(frozen=True)
class Piece:
    """A control frame, or a part of a data frame, as a server sends it.

    Attributes:
        opcode: the frame's.
        data: the bytes to pass on: unmasked, including the header where the frame begins.
        payload: of a control frame, the bytes after the header.
    """

    opcode: int
    data: bytes
    payload: bytes = b""


class FrameReader:
    """Reads what a client sends. It keeps what was fed and not yet taken: part of a header or of a control frame at
    most, if all pieces are taken."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._opcode = 0
        self._left = 0
        self._mask = b""

    @property
    def between_frames(self) -> bool:
        """Whether all frames that have begun were taken to their end."""
        return self._left == 0

    def feed(self, data: bytes | memoryview) -> None:
        self._buffer += data

    def next_opcode(self) -> int | None:
        """The opcode of the frame of the next piece; None if none of its bytes have arrived."""
        if self._left:
            return self._opcode
        return self._buffer[0] & 0x0F if self._buffer else None

    def take(self) -> Piece | None:
        """The next piece; None until more has been fed.

        Raises:
            ParseError: a frame is not masked, or a control frame is too long.
        """
        if self._left:
            return self._rest()
        header = self._header()
        if header is None:
            return None
        size, length = header
        first = self._buffer[0]
        opcode = first & 0x0F
        if opcode >= CLOSE and len(self._buffer) < size + length:
            return None
        self._opcode, self._left, self._mask = opcode, length, bytes(self._buffer[size - 4 : size])
        del self._buffer[:size]
        payload = self._unmasked()
        return Piece(opcode, frame_header(first, length) + payload, payload if opcode >= CLOSE else b"")

    def _header(self) -> tuple[int, int] | None:
        """The size of the header and the length of the payload; None if the header is not complete."""
        if len(self._buffer) < 2:
            return None
        length = self._buffer[1] & 0x7F
        extended = {126: 2, 127: 8}.get(length, 0)
        if not self._buffer[1] & 0x80:
            raise ParseError("a client's frame is not masked")
        if self._buffer[0] & 0x0F >= CLOSE and length > MAX_CONTROL:
            raise ParseError("a control frame is too long")
        if len(self._buffer) < 2 + extended + 4:
            return None
        if extended:
            length = int.from_bytes(self._buffer[2 : 2 + extended], "big")
        return 2 + extended + 4, length

    def _rest(self) -> Piece | None:
        return Piece(self._opcode, self._unmasked()) if self._buffer else None

    def _unmasked(self) -> bytes:
        """Take what has arrived of the payload."""
        masked = bytes(self._buffer[: self._left])
        del self._buffer[: len(masked)]
        self._left -= len(masked)
        mask = self._mask
        shift = len(masked) % 4
        self._mask = mask[shift:] + mask[:shift]
        return unmask(masked, mask)


def unmask(data: bytes, mask: bytes) -> bytes:
    """XOR `data` with the mask, as one large number: the fastest way without an extension module."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^ int.from_bytes(key, "little")).to_bytes(size, "little")


def control(opcode: int, payload: bytes = b"") -> bytes:
    """An unmasked control frame."""
    return frame_header(FIN | opcode, len(payload)) + payload


def close(code: int, reason: str = "") -> bytes:
    """An unmasked close frame."""
    return control(CLOSE, struct.pack(">H", code) + reason.encode()[: MAX_CONTROL - 2])
