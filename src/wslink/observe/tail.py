"""The newest events, for readers that look from time to time."""

from __future__ import annotations

import itertools
from collections import deque
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Piece(NamedTuple, Generic[T]):
    """What was added since the last look.

    Attributes:
        entries: the newest ones, oldest first.
        end: where the next look begins.
        left_out: the number of older ones that are not included.
    """

    entries: list[T]
    end: int
    left_out: int


class Tail(Generic[T]):
    """Keeps the newest entries. Thread-safe.

    Args:
        kept: the number of entries to keep.
    """

    def __init__(self, kept: int) -> None:
        self._entries: deque[tuple[int, T]] = deque(maxlen=kept)
        self._numbers = itertools.count()  # no two threads get the same number, without a lock

    def add(self, entry: T) -> None:
        """Add `entry`, dropping the oldest if there is no room."""
        self._entries.append((next(self._numbers), entry))

    def since(self, begin: int | None, most: int) -> Piece[T]:
        """Return what was added since `begin`, the `end` of an earlier look; None or an invalid value for the first.

        Args:
            most: the maximum number of entries.
        """
        kept = self._entries.copy()
        end = kept[-1][0] + 1 if kept else 0
        first = begin is None or not 0 <= begin <= end
        new = end - begin if begin is not None and not first else len(kept)
        given = min(new, most, len(kept))
        entries = [entry for _, entry in islice(reversed(kept), given)]
        return Piece(entries[::-1], end, 0 if first else new - given)
