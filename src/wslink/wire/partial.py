"""A message of protocol version 2 whose chunks are still arriving (G2-8, G2-9)."""

from __future__ import annotations

import os
from bisect import bisect_right

import msgspec
from msgspec.msgpack import Ext

from wslink.errors import ParseError
from wslink.wire import maps
from wslink.wire.frames import Buffer
from wslink.wire.heads import HEAD
from wslink.wire.landing import Landing
from wslink.wire.value import Value

ROOM = 12
"""Bytes in front of a message, as for a chunk's header, so that arrays are aligned (G2-9)."""
LAND_ABOVE = 1024 * 1024
"""Binary values of this many bytes or more are put together where they stay: the message and a copy of the value would
take twice as much."""
BIN_HEAD = 5
"""Bytes in front of such a value."""
LANDED = 127
"""The extension that stands for it in the message."""


class Landed(msgspec.Struct, frozen=True):
    """A message without one large binary value, which is separate.

    Attributes:
        text: the message, with an extension of type LANDED in place of the value.
        token: the extension's payload, which no peer can guess.
        value: the value.
        size: bytes of the message as it arrived.
    """

    text: bytes
    token: bytes
    value: bytes
    size: int

    def find(self, code: int, payload: Buffer) -> Value:
        """Return the value for this extension; None for any other."""
        return self.value if code == LANDED and payload == self.token else None


class Partial:
    """An incomplete message: the bytes from its start that have arrived, and chunks that wait for earlier ones.

    Args:
        total: its size in bytes.
        lands: whether a large binary value may be separate; see Landed.

    Attributes:
        reached: bytes that have arrived without a gap, from the start of the message.
        resumes: whether it began on another connection, and may be started again on this one (RES-13).
        stray: the chunks that wait, by their offsets.
    """

    def __init__(self, total: int, lands: bool = False) -> None:
        self.total = total
        self.reached: int = 0
        self.resumes: bool = False
        self.stray: dict[int, bytes] = {}
        self._offsets: list[int] = []  # of the stray chunks, ascending
        self._text = bytearray(ROOM)
        self._lands = lands
        self._value: Landing | None = None  # one that lands, as far as it has arrived
        self._begin = self._end = 0  # of that value

    @property
    def held(self) -> int:
        """The memory for what has arrived from the start. A growing buffer has spare capacity."""
        return self._text.__sizeof__() + (self._value.__sizeof__() if self._value is not None else 0)

    @property
    def arrived(self) -> int:
        """Bytes that have arrived."""
        return self.reached + sum(len(chunk) for chunk in self.stray.values())

    def head(self) -> memoryview:
        """The beginning of the message, as far as it has arrived."""
        return memoryview(self._text)[ROOM : ROOM + HEAD]

    def message(self) -> memoryview | Landed:
        """The complete message. It is not modified afterwards."""
        text = memoryview(self._text)[ROOM:]
        if self._value is None:
            return text
        token = os.urandom(16)
        mark = msgspec.msgpack.encode(Ext(LANDED, token))
        whole = b"".join((text[: self._begin - BIN_HEAD], mark, text[self._begin :]))
        return Landed(whole, token, self._value.value(), self.total)

    def add(self, offset: int, chunk: memoryview) -> None:
        """Add a chunk. Raises ParseError if it overlaps another."""
        self._refuse_overlap(offset, len(chunk))
        if offset != self.reached:
            self.stray[offset] = bytes(chunk)
            self._offsets.insert(bisect_right(self._offsets, offset), offset)
            return
        self._append(chunk)
        while (following := self.stray.pop(self.reached, None)) is not None:
            self._offsets.pop(0)
            self._append(following)

    def _append(self, chunk: Buffer) -> None:
        if not self.reached and self._lands:
            self._find(chunk)
        begin, end = self._begin - self.reached, self._end - self.reached  # of the value, in the chunk
        self.reached += len(chunk)
        if self._value is None or end <= 0:
            self._text += chunk
            return
        view = memoryview(chunk)
        self._text += view[: max(begin, 0)]
        self._value.write(view[max(begin, 0) : end])
        self._text += view[end:]

    def _find(self, chunk: Buffer) -> None:
        """Look for a large value that begins in the first chunk."""
        found = maps.find_large(chunk, LAND_ABOVE)
        if found is not None and len(chunk) < found[1] <= self.total:
            self._begin, self._end = found
            self._value = Landing(self._end - self._begin)

    def forget_stray(self) -> None:
        """Keep only what has arrived from the start."""
        if self._value is not None:
            self._value.fit()
        self.stray.clear()
        self._offsets.clear()

    def _refuse_overlap(self, offset: int, length: int) -> None:
        index = bisect_right(self._offsets, offset)
        before = self._offsets[index - 1] if index else None
        after = self._offsets[index] if index < len(self._offsets) else self.total
        floor = self.reached if before is None else before + len(self.stray[before])
        if offset < floor or offset + length > after:
            raise ParseError(f"a chunk of bytes {offset} to {offset + length} overlaps another of its message")
