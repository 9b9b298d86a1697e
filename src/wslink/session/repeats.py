"""Messages that are sent again after a resumption, ahead of all others (RES-6)."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from wslink.wire.chunks import HEADER_LENGTH, Cutter, renumbered
from wslink.wire.frames import Frame, Message

FROM_THE_START: Mapping[int, int] = MappingProxyType({})


class Repeats:
    """Sends messages again: first of all, in order, complete, and under their original numbers.

    Attributes:
        waiting: bytes that are waiting to be sent.
        taken: bytes that were taken of messages that are being sent: each is kept until its last chunk is taken.
        repeats: the messages that are still to be repeated; None if there never were any.
    """

    __slots__ = ("_begun", "_cutter", "_frames", "_offsets", "repeats", "taken", "waiting")

    def __init__(self) -> None:
        self.waiting: int = 0
        self.taken: int = 0
        self._begun = 0  # remaining bytes of messages that are being sent
        self._frames: list[Frame] | None = None  # of a message whose frames stay together, in reverse order
        self.repeats: deque[tuple[int, Message]] | None = None
        self._offsets: Mapping[int, int] = FROM_THE_START  # bytes of these that the peer already has
        self._cutter: Cutter | None = None  # cuts the first of these, once it has begun

    def repeat(self, messages: Iterable[tuple[int, Message]], offsets: Mapping[int, int] = FROM_THE_START) -> None:
        """Send messages again, each under its number and from the offset up to which the peer has it (RES-13)."""
        if self.repeats is None:
            self.repeats = deque()
        before = len(self.repeats)
        self.repeats.extend(messages)
        self._offsets = offsets
        again = itertools.islice(self.repeats, before, None)
        size = sum(message.size - offsets.get(number, 0) for number, message in again)
        self._begun += size
        self.waiting += size

    def _repeat(self, chunk: int) -> Frame:
        """The next frame of a repeated message, of at most `chunk` bytes if the message can be cut."""
        assert self.repeats is not None
        number, message = self.repeats[0]
        if message.source is None:
            self.repeats.popleft()
            return self._took(renumbered(message.frames, number)[0])
        if self._cutter is None:
            self._cutter = Cutter(message.source, number, self._offsets.get(number, 0))
        else:
            self._count_header()
        frame = self._cutter.next(chunk)
        if not self._cutter.left:
            self.repeats.popleft()
            self._cutter = None
        return self._took(frame)

    def _forget_begun(self) -> None:
        """Drop what has been partly sent, and what would be repeated."""
        self._frames = self.repeats = None
        self._cutter = None
        self._offsets = FROM_THE_START
        self.waiting -= self._begun
        self._begun = self.taken = 0

    def _count_taken(self, cutter: Cutter, before: int) -> None:
        """A chunk was taken of a message of which `before` bytes had been taken."""
        self.taken += cutter.offset - before if cutter.left else -before

    def _count_header(self) -> None:
        """Each chunk but the first adds a header to what its message counts."""
        self._begun += HEADER_LENGTH
        self.waiting += HEADER_LENGTH

    def _took(self, frame: Frame) -> Frame:
        self._begun -= frame.size
        self.waiting -= frame.size
        return frame
