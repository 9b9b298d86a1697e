"""Small messages that are sent ahead of the queue and past its bounds: acknowledgements and responses to hello."""

from __future__ import annotations

from typing import Protocol

from wslink.session.stall import Progress

MAX_UNREAD = 256
"""Notices that are sent to a peer that reads nothing in the meantime (LIM-6)."""


class Line(Protocol):
    """The part of session.ports.Transport that is needed here."""

    @property
    def writable(self) -> bool: ...
    @property
    def progress(self) -> Progress: ...


class Notices:
    """Counts the notices that a peer may not have read."""

    __slots__ = ("_count", "_taken")

    def __init__(self) -> None:
        self._count = 0
        self._taken = -1

    def may_go(self, line: Line) -> bool:
        """Whether one more may be sent. If so, it is counted."""
        if line.writable:
            self._count = 0
            return True
        taken = line.progress.taken
        if taken != self._taken:
            self._taken = taken
            self._count = 0
        self._count += 1
        return self._count <= MAX_UNREAD
