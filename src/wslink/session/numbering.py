"""Message numbers, with which a connection continues where the previous one ended (RES-2 to RES-4)."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator
from typing import Generic, TypeVar

import msgspec

from wslink.errors import ParseError

LAST_NUMBER = 2**32 - 1
"""The number is sent as the message id of a chunk, a `uint32` (G2-2)."""

MessageT = TypeVar("MessageT")


class Kept(msgspec.Struct, Generic[MessageT], frozen=True, gc=False):
    """A message that is kept until the peer has received it.

    Attributes:
        message: the message.
        size: the bytes that it counts.
        key: on a return, a newer message with the same key replaces it ("latest" delivery).
        gates: the windows that it waited for; a message that replaces it has the same.
        shared: whether it may be kept for several peers, and counts once.
        anew: whether the peer may have the beginning of a different message with this number (RES-13).
    """

    message: MessageT
    size: int
    key: Hashable
    gates: tuple[object, ...] = ()
    shared: bool = False
    anew: bool = False


class Unacknowledged(Generic[MessageT]):
    """The messages of one direction that were sent and that the peer may not have received.

    Attributes:
        last: the last number that was assigned; 0 before the first.
    """

    __slots__ = ("_held", "_kept", "_size", "last")

    def __init__(self) -> None:
        self.last: int = 0
        self._size = 0
        self._kept: list[bytes | Kept[MessageT]] = []  # those above what was acknowledged, up to the last
        self._held: dict[int, bytes | Kept[MessageT]] = {}  # those below it that the peer reported missing

    def __len__(self) -> int:
        return len(self._kept) + len(self._held)

    def __iter__(self) -> Iterator[tuple[int, Kept[MessageT]]]:
        """The numbers and messages, in the order of numbers."""
        for number in sorted(self._held):
            yield number, self._whole(self._held[number])
        for number, kept in enumerate(self._kept, self._first):
            yield number, self._whole(kept)

    @property
    def size(self) -> int:
        """Bytes of the kept messages."""
        return self._size

    @property
    def _first(self) -> int:
        """The number of the first item of `_kept`."""
        return self.last - len(self._kept) + 1

    def _whole(self, kept: bytes | Kept[MessageT]) -> Kept[MessageT]:
        """Return the Kept of a message. Subclasses may keep only its bytes, to save time and memory."""
        assert isinstance(kept, Kept)
        return kept

    def number(self, message: MessageT, size: int, key: Hashable = None) -> int:
        """Keep a message whose first chunk is about to be sent, and return its number.

        Args:
            key: on a return, a newer message with the same key replaces it ("latest" delivery).
        """
        self.last += 1
        self._kept.append(Kept(message, size, key))
        self._size += size
        return self.last

    def acknowledge(self, received: int, missing: Collection[int] = ()) -> None:
        """The peer has received everything up to `received`, except for `missing`. A number that was never assigned is
        ignored."""
        if received > self.last:
            return
        first, count = self._first, max(received + 1 - self._first, 0)
        known = self._kept[:count]
        del self._kept[:count]
        self._drop(self._sift(first, known, missing) if missing or self._held else known)

    def _sift(
        self, first: int, known: list[bytes | Kept[MessageT]], missing: Collection[int]
    ) -> list[bytes | Kept[MessageT]]:
        """Return what the peer has received, and hold what it is missing."""
        gone = [self._held.pop(number) for number in [number for number in self._held if number not in missing]]
        for number, kept in enumerate(known, first):
            if number in missing:
                self._held[number] = kept
            else:
                gone.append(kept)
        return gone

    def replace(self, number: int, message: MessageT, size: int) -> None:
        """Replace a kept message: `message` will be sent under its number."""
        held, at = number in self._held, number - self._first
        kept = self._whole(self._held[number] if held else self._kept[at])
        self._size += size - kept.size
        newer = msgspec.structs.replace(kept, message=message, size=size, anew=True)
        if held:
            self._held[number] = newer
        else:
            self._kept[at] = newer

    def _keeps(self, number: int) -> bool:
        """Whether a message is kept."""
        return number in self._held or self._first <= number <= self.last

    def _drop(self, gone: Collection[bytes | Kept[MessageT]]) -> None:
        """Update the size after messages were removed."""
        for kept in map(self._whole, gone):
            self._size -= kept.size


class Received:
    """The numbers of one direction that have arrived completely.

    Args:
        max_missing: how many may be missing below the highest. A peer that skips more is at fault.

    Attributes:
        last: the highest number that has arrived; 0 before the first.
        missing: the numbers below it that have not arrived.
        held: how many more may be missing, since they have arrived but wait for their turn (TURN-1).
    """

    __slots__ = ("_max_missing", "held", "last", "missing")

    def __init__(self, max_missing: int) -> None:
        self._max_missing = max_missing
        self.held: int = 0
        self.last: int = 0
        self.missing: set[int] = set()

    def report(self) -> tuple[int, list[int]]:
        """Return what the peer is told: the highest number, and the missing ones below it. If there are too many of
        these, a number below which none is missing."""
        if len(self.missing) > self._max_missing:
            return min(self.missing) - 1, []
        return self.last, sorted(self.missing)

    def take(self, number: int) -> bool:
        """Record the message `number`. Returns False if it has arrived before.

        Raises:
            ParseError: more than `max_missing` numbers are missing now.
        """
        if number == self.last + 1:  # the usual case
            self.last = number
            return True
        if number <= self.last:
            if number not in self.missing:
                return False
            self.missing.discard(number)
            return True
        skipped = number - self.last - 1
        if len(self.missing) + skipped > self._max_missing + self.held:
            raise ParseError(f"message number {number} leaves more than {self._max_missing} missing")
        self.missing.update(range(self.last + 1, number))
        self.last = number
        return True
