"""The newest of what happens, for those who look now and then."""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Piece(NamedTuple, Generic[T]):
    """What has been added since the last look.

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
        self._entries: deque[T] = deque(maxlen=kept)
        self._count = 0
        self._lock = threading.Lock()

    def add(self, entry: T) -> None:
        """Keep `entry`, in the place of the oldest where there is no room."""
        with self._lock:
            self._entries.append(entry)
            self._count += 1

    def since(self, begin: int | None, most: int) -> Piece[T]:
        """What has been added since `begin`, which is the `end` of an earlier look; None or what is none for the first.

        Args:
            most: entries that are given.
        """
        with self._lock:
            first = begin is None or not 0 <= begin <= self._count
            new = self._count - begin if begin is not None and not first else len(self._entries)
            given = min(new, most, len(self._entries))
            entries = list(islice(reversed(self._entries), given))
            end = self._count
        return Piece(entries[::-1], end, 0 if first else new - given)
