"""Bytes that come piece by piece, put together where they stay."""

from __future__ import annotations

import io

from wslink.wire.frames import Buffer

AHEAD = 64
"""Times as much as has come that room is made for, of what was announced. It is not touched before it is needed, and so
takes no memory until then. A buffer that grows with what comes would be copied again and again by an allocator that has
no room behind it, and leave holes that take as much memory as it does."""
WHOLE = 8
"""Times that room within which all that was announced gets it: less than an eighth of it is ever copied."""


class Landing:
    """Bytes under way.

    Args:
        size: how many are announced. There may be more.
    """

    __slots__ = ("_data", "_room", "_size")

    def __init__(self, size: int) -> None:
        self._size = size
        self._room = 0
        self._data = io.BytesIO()

    def __len__(self) -> int:
        """Bytes that have come."""
        return self._data.tell()

    def write(self, piece: Buffer) -> int:
        """Add what comes next; how many bytes that are."""
        end = len(self) + len(piece)
        if self._room < end <= self._size:
            self._move(self._size if end * AHEAD * WHOLE >= self._size else end * AHEAD)
        return self._data.write(piece)

    def fit(self) -> None:
        """Make no more room than for what has come, for now."""
        self._move(len(self))

    def value(self) -> bytes:
        """All that has come, without a copy. Nothing may be added then."""
        self._data.truncate()
        return self._data.getvalue()

    def _move(self, room: int) -> None:
        before, self._room = self._data, room
        self._data = io.BytesIO(bytes(room))  # which writes into these bytes, as nobody else has them
        self._data.write(before.getbuffer()[: before.tell()])
