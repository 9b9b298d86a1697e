"""The size of chunks to peers that do not acknowledge what they receive."""

from __future__ import annotations

from wslink.session.congestion import CHUNK_TIME, FIRST_WINDOW, KIB, MAX_CHUNK, MIN_CHUNK

UNSENT, UNSENT_WHERE_FAST = 128 * KIB, 8192 * KIB
"""Bytes that may wait in the kernel before they are sent. Bytes in flight do not count, so this lowers no line's rate;
but where a chunk is `LARGE`, refilling so little each time would cost more than it gains."""
LARGE = 1024 * KIB
AT_ONCE = 256 * KIB
"""Bytes up to which a chunk grows at once; above, it doubles at most once in its own time. What a line accepts in a
moment shows how much the kernel buffers, not how fast the line is."""
SHORTEST = 0.005
"""Seconds that have to pass for a measurement of the rate."""


class ChunkSize:
    """The size of the next chunk to a peer that sends no acknowledgements, derived from how fast the transport accepts
    data.

    It follows the rate at which the transport becomes writable again, and doubles while the transport accepts all it is
    given.

    Attributes:
        size: bytes of the next chunk.
    """

    __slots__ = ("_given", "_grown", "_since", "size")

    def __init__(self) -> None:
        self.size: int = FIRST_WINDOW
        self._given = 0
        self._since: float | None = None
        self._grown = 0.0

    def given(self, size: int) -> None:
        """A frame of `size` bytes was handed to the transport."""
        self._given += size

    def taken(self, now: float) -> None:
        """A whole chunk was handed to the transport, which is still writable."""
        self._follow(now, 2 * self.size)

    def resumed(self, now: float) -> None:
        """The transport is writable again."""
        if self._since is not None:
            if now < self._since + SHORTEST:
                return
            self._follow(now, int(self._given / (now - self._since) * CHUNK_TIME))
        self._since = now
        self._given = 0

    def _follow(self, now: float, size: int) -> None:
        if size > max(self.size, AT_ONCE):
            if now < self._grown + CHUNK_TIME:
                return
            self._grown = now
            size = min(size, 2 * max(self.size, AT_ONCE))
        self.size = min(max(size, MIN_CHUNK), MAX_CHUNK)

    def idle(self) -> None:
        """Nothing is waiting: the time until more does says nothing about the line."""
        self._since = None
        self._given = 0

    @property
    def unsent(self) -> int:
        """Bytes that may wait in the kernel."""
        return UNSENT if self.size < LARGE else UNSENT_WHERE_FAST
