"""The newest of what happens, for those who look now and then."""

from __future__ import annotations

import itertools
from collections import deque
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Piece(NamedTuple, Generic[T]):
    """Additions since the last look.

    Attributes:
        entries: the newest, the oldest of them first.
        end: where the next look begins.
        left_out: older ones that are not among them.
    """

    entries: list[T]
    end: int
    left_out: int


class Tail(Generic[T]):
    """Keeps the newest entries. From any thread.

    Args:
        kept: how many.
    """

    def __init__(self, kept: int) -> None:
        self._entries: deque[tuple[int, T]] = deque(maxlen=kept)
        self._numbers = itertools.count()  # which no two threads are given the same of, and costs less than a lock

    def add(self, entry: T) -> None:
        """Keep `entry`, in the place of the oldest where there is no room."""
        self._entries.append((next(self._numbers), entry))

    def since(self, begin: int | None, most: int) -> Piece[T]:
        """What has been added since `begin`, which is the `end` of an earlier look; None or what is none for the first.

        Args:
            most: entries that are given.
        """
        kept = self._entries.copy()
        end = kept[-1][0] + 1 if kept else 0
        first = begin is None or not 0 <= begin <= end
        new = end - begin if begin is not None and not first else len(kept)
        given = min(new, most, len(kept))
        entries = [entry for _, entry in islice(reversed(kept), given)]
        return Piece(entries[::-1], end, 0 if first else new - given)
