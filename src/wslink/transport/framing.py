"""The heads of WebSocket frames (RFC 6455, 5.2): writing them, and checking those that arrive."""

from __future__ import annotations

import struct

_LENGTH16, _LENGTH64 = struct.Struct(">BBH"), struct.Struct(">BBQ")

PROTOCOL_ERROR, INVALID_TEXT, POLICY_VIOLATION, TOO_BIG = 1002, 1007, 1008, 1009

MAX_FRAGMENTS, FRAGMENT_SIZE = 1024, 32
"""Fragments of a message: so many, and one for so many bytes (LIM-14). Empty ones would cost time without an end."""
MAX_CONTROL_FRAMES = 32_768
"""Control frames that may arrive together (LIM-14)."""

_CLOSE_CODES = frozenset((1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014))


def frame_header(first: int, length: int) -> bytes:
    """The header of an unmasked frame whose first byte is `first` (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((first, length))
    return _LENGTH16.pack(first, 126, length) if length < 65536 else _LENGTH64.pack(first, 127, length)


def is_close_code(code: int) -> bool:
    """Whether a close frame may contain `code` (RFC 6455, 7.4)."""
    return code in _CLOSE_CODES or 3000 <= code < 5000


def too_many_fragments(count: int, size: int) -> bool:
    """Whether a message that has reached `size` bytes has too many fragments (LIM-14)."""
    return count > MAX_FRAGMENTS + size // FRAGMENT_SIZE


class BrokenFrame(Exception):
    """A frame that violates the WebSocket protocol, or a limit.

    Attributes:
        code: the close code.
        position: the position of its first byte in the data that was being checked; 0 if it began before that.
    """

    def __init__(self, code: int, reason: str, position: int) -> None:
        super().__init__(reason)
        self.code = code
        self.position = position


class FrameGuard:
    """Follows the frames of one direction of a connection by their heads, and refuses what a WebSocket library would
    accept, or allocate memory for.

    Args:
        masked: whether frames have to be masked, like those of clients; otherwise they must not be.

    Attributes:
        compressed: whether frames may be compressed.
        begun: the messages that begin in the data checked last, if they may be compressed: their positions and first
            bytes.
    """

    __slots__ = ("_controls", "_fragments", "_head", "_left", "_masked", "_message", "begun", "compressed")

    def __init__(self, masked: bool) -> None:
        self.compressed: bool = True
        self.begun: list[tuple[int, int]] = []
        self._masked = masked
        self._head = b""  # of a frame whose head has not arrived completely
        self._left = 0  # bytes of the current frame that have not arrived
        self._message = 0  # bytes of the fragments so far
        self._fragments = 0
        self._controls = 0

    @property
    def ahead(self) -> int:
        """Bytes that come before the next head; -1 where the end of a head is missing."""
        return -1 if self._head else self._left

    def check(self, data: bytes, limit: int) -> None:
        """Check data that has arrived.

        Args:
            limit: the largest message, in bytes (LIM-1, LIM-2).

        Raises:
            BrokenFrame: nothing may be checked afterwards, except for the same data from its position, with another
                limit.
        """
        position, size = 0, len(data)
        self._controls = 0
        if self._masked and not (self._left or self._head) and self._is_one(data, size, limit):
            return
        self.begun = []
        if self._left >= size:
            self._left -= size
            return
        if self._left:
            position, self._left = self._left, 0
        elif self._head:
            self._join(data, limit)
            return
        self._frames(data, position, size, limit)

    def _is_one(self, data: bytes, size: int, limit: int) -> bool:
        """Whether the data is a complete message in one small masked frame, as most are. If so, it is counted."""
        if size < 6 or data[0] not in (0x81, 0x82):
            return False
        length = data[1] - 128
        if length == 126 and size >= 134:
            size, length = size - 2, (data[2] << 8) + data[3]
        if length != size - 6 or length > limit:
            return False
        self._message, self._fragments = length, 1
        self.begun = [(0, data[0])] if self.compressed else []
        return True

    def _join(self, data: bytes, limit: int) -> None:
        """Continue with a head that has arrived in part."""
        head, self._head = self._head, b""
        try:
            self._frames(head + data, 0, len(head) + len(data), limit)
        except BrokenFrame as error:
            self._head = b"" if error.position else head
            error.position = max(error.position - len(head), 0)
            raise
        finally:  # the first one was reported when its first byte arrived
            self.begun = [(position - len(head), first) for position, first in self.begun if position]

    def _frames(self, data: bytes, position: int, size: int, limit: int) -> None:
        mask = 4 if self._masked else 0
        while position < size:
            left = size - position
            if self.compressed and data[position] & 15 in (1, 2):
                self.begun.append((position, data[position]))
            if left > 1:
                self._look(data[position], data[position + 1], position)
                length = data[position + 1] & 127
                head = 2 if length < 126 else 4 if length == 126 else 10
                if left >= head:
                    if head > 2:
                        length = _long_length(data, position, head)
                    self._weigh(data[position], length, limit, position)
                    if left >= head + mask:
                        self._count(data[position], length, position)
                        position += head + mask + length
                        continue
            self._head = data[position:]
            return
        self._left = position - size

    def _look(self, first: int, second: int, position: int) -> None:
        """Check the first two bytes of a frame."""
        opcode = first & 15
        if (second & 128 != 0) is not self._masked:
            raise BrokenFrame(PROTOCOL_ERROR, "a frame is masked by the client alone", position)
        if first & 48 or (first & 64 and not (self.compressed and opcode in (1, 2))):
            raise BrokenFrame(PROTOCOL_ERROR, "a reserved bit is set", position)
        if opcode in (3, 4, 5, 6, 7) or opcode > 10:
            raise BrokenFrame(PROTOCOL_ERROR, "a frame of an unknown kind", position)
        if opcode > 7 and (not first & 128 or second & 127 > 125):
            raise BrokenFrame(PROTOCOL_ERROR, "a control frame is in fragments, or too long", position)

    def _weigh(self, first: int, length: int, limit: int, position: int) -> None:
        """Check the size of a frame."""
        before = 0 if first & 15 else self._message
        if first & 15 < 8 and before + length > limit:
            raise BrokenFrame(TOO_BIG, f"a message is at most {limit} bytes", position)

    def _count(self, first: int, length: int, position: int) -> None:
        """Count a frame whose head has arrived."""
        opcode = first & 15
        if opcode > 7:
            self._controls += 1
            if self._controls > MAX_CONTROL_FRAMES:
                raise BrokenFrame(POLICY_VIOLATION, "too many control frames", position)
            return
        if opcode:
            self._message = self._fragments = 0
        self._message += length
        self._fragments += 1
        if too_many_fragments(self._fragments, self._message):
            raise BrokenFrame(POLICY_VIOLATION, "a message has too many fragments", position)


def _long_length(data: bytes, position: int, head: int) -> int:
    """The length of a frame whose head, without its mask, has 4 or 10 bytes."""
    length = int.from_bytes(data[position + 2 : position + head], "big")
    if length < (126 if head == 4 else 65536) or length >= 2**63:
        raise BrokenFrame(PROTOCOL_ERROR, "the length of a frame is not written in its shortest form", position)
    return length
