"""Calls that were cancelled while their frames wait to be handled (CAN-2)."""

from __future__ import annotations

from collections import OrderedDict


class CancelledCalls:
    """The ids of these calls. A client's waiting frames are numbered from 0 in the order in which they are handled."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        # Ascending. An OrderedDict, because finding the first key of a dict slows down with the number of deleted ones.
        self._until: OrderedDict[str, int] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, id_: str, taken: int, waiting: int) -> None:
        """Record that the call `id_` was cancelled. It is in one of the `waiting` frames if in any; no more ids than
        that are kept."""
        self._until.pop(id_, None)
        self._prune(taken)
        if len(self._until) < waiting:
            self._until[id_] = taken + waiting

    def take(self, id_: str, taken: int) -> bool:
        """Whether the call `id_`, which is in the last of `taken` frames, was cancelled."""
        self._prune(taken - 1)
        return self._until.pop(id_, None) is not None

    def clear(self) -> None:
        """No frames are waiting any more."""
        self._until.clear()

    def _prune(self, taken: int) -> None:
        """Forget the ids that were in none of the frames handled so far."""
        while self._until and self._until[first := next(iter(self._until))] <= taken:
            del self._until[first]
