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
    """Messages that go first, in their order, whole, and under the numbers that they had.

    Attributes:
        waiting: bytes that wait to be sent.
        repeats: what is left of what is sent again; None where nothing was.
    """

    __slots__ = ("_begun", "_cutter", "_frames", "_offsets", "repeats", "waiting")

    def __init__(self) -> None:
        self.waiting: int = 0
        self._begun = 0  # bytes that are left of messages that are being sent
        self._frames: list[Frame] | None = None  # of a message whose frames stay together, the next one last
        self.repeats: deque[tuple[int, Message]] | None = None
        self._offsets: Mapping[int, int] = FROM_THE_START  # bytes that the peer has of these
        self._cutter: Cutter | None = None  # of the first of these, once it has begun

    def repeat(self, messages: Iterable[tuple[int, Message]], offsets: Mapping[int, int] = FROM_THE_START) -> None:
        """Send messages again, each under its number, and from the offset up to which the peer has it (RES-13)."""
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
        """The next frame of these, of at most `chunk` bytes where its message is cut."""
        assert self.repeats is not None
        number, message = self.repeats[0]
        if message.source is None:
            self.repeats.popleft()
            return self._took(renumbered(message.frames, number)[0])
        if self._cutter is None:
            self._cutter = Cutter(message.source, number, self._offsets.get(number, 0))
        else:  # each chunk but the first adds a header to what the message counts
            self._begun += HEADER_LENGTH
            self.waiting += HEADER_LENGTH
        frame = self._cutter.next(chunk)
        if not self._cutter.left:
            self.repeats.popleft()
            self._cutter = None
        return self._took(frame)

    def _forget_begun(self) -> None:
        """Send nothing more of what has begun, nor of what would be repeated."""
        self._frames = self.repeats = None
        self._cutter = None
        self._offsets = FROM_THE_START
        self.waiting -= self._begun
        self._begun = 0

    def _took(self, frame: Frame) -> Frame:
        self._begun -= frame.size
        self.waiting -= frame.size
        return frame
