"""Small messages that go ahead of all that waits, and past the bounds on it: acknowledgements, responses to hello."""

from __future__ import annotations

from typing import Protocol

from wslink.session.stall import Progress

MAX_UNREAD = 256
"""Of these that go to a peer which takes nothing meanwhile (LIM-6)."""


class Line(Protocol):
    """A transport, as far as it matters here (session.ports.Transport)."""

    @property
    def writable(self) -> bool: ...
    @property
    def progress(self) -> Progress: ...


class Notices:
    """Counts those that a peer may not have read."""

    __slots__ = ("_count", "_taken")

    def __init__(self) -> None:
        self._count = 0
        self._taken = -1

    def may_go(self, line: Line) -> bool:
        """Whether one more may go; it counts then."""
        if line.writable:
            self._count = 0
            return True
        taken = line.progress.taken
        if taken != self._taken:
            self._taken = taken
            self._count = 0
        self._count += 1
        return self._count <= MAX_UNREAD
