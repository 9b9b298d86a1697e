"""A bounded ring of records."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

from wslink.wire.frames import Buffer
from wslink.wire.value import Value

COST = 256
"""Bytes that a record costs beside its message."""

Late = Callable[[], Sequence[Buffer]]


class Kept(NamedTuple):
    """A record that is kept: as wire.recording.Record, its message in parts, or what makes these when it is written."""

    kind: int
    time: float
    clients: Sequence[str]
    about: Value
    message: Sequence[Buffer] | Late | None
    size: int


class Ring:
    """Keeps the newest records. From any thread.

    Args:
        limit: bytes that they take together, COST for each included.

    Attributes:
        began: when it began, in seconds of the monotonic clock; times of records count from then.
        left_out: records that had to go, or were larger than the ring.
    """

    def __init__(self, limit: int) -> None:
        self.began: float = monotonic()
        self.left_out: int = 0
        self._limit = limit
        self._kept: deque[Kept] = deque()
        self._size = 0
        self._lock = threading.Lock()

    def add(
        self, kind: int, clients: Sequence[str], about: Value, message: Sequence[Buffer] | Late | None, size: int
    ) -> None:
        """Keep a record of `size` bytes, in the place of the oldest ones where there is no room."""
        cost = size + COST
        with self._lock:
            if cost > self._limit:
                self.left_out += 1
                return
            self._kept.append(Kept(kind, monotonic() - self.began, clients, about, message, cost))
            self._size += cost
            while self._size > self._limit:
                self._size -= self._kept.popleft().size
                self.left_out += 1

    def records(self) -> list[Kept]:
        """Those of this moment, the oldest first."""
        with self._lock:
            return list(self._kept)

    @property
    def size(self) -> int:
        """Bytes that are kept, COST for each record included."""
        return self._size
