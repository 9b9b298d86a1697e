"""Calls that were cancelled while the frames that hold them wait to be taken (CAN-2)."""

from __future__ import annotations

from collections import OrderedDict


class Withdrawn:
    """Their ids. The frames of one client that wait are numbered from 0 on, in the order in which they are taken."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        # Ascending. Of a dict, the first is found the later the more have been taken out before it.
        self._until: OrderedDict[str, int] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._until)

    def add(self, id_: str, taken: int, waiting: int) -> None:
        """The call `id_` is cancelled. It is in one of `waiting` frames if in any, of which there are as many as there
        can be calls that were cancelled."""
        self._until.pop(id_, None)
        self._prune(taken)
        if len(self._until) < waiting:
            self._until[id_] = taken + waiting

    def take(self, id_: str, taken: int) -> bool:
        """Whether the call `id_`, which is in the last of `taken` frames, was cancelled."""
        self._prune(taken - 1)
        return self._until.pop(id_, None) is not None

    def clear(self) -> None:
        """No frame waits any more."""
        self._until.clear()

    def _prune(self, taken: int) -> None:
        """Forget those that were in none of the frames that were taken."""
        while self._until and self._until[first := next(iter(self._until))] <= taken:
            del self._until[first]
