"""What goes ahead of all that waits for a client: little of it to one that does not read (LIM-6)."""

from __future__ import annotations

from wslink.session.notices import MAX_UNREAD, Notices
from wslink.session.stall import Progress


class Line:
    """A line to a peer that reads only when it is told to."""

    def __init__(self) -> None:
        self.writable = False
        self.progress = Progress(0)


def test_a_peer_that_takes_nothing_is_sent_few() -> None:
    line, notices = Line(), Notices()
    assert sum(notices.may_go(line) for _ in range(10 * MAX_UNREAD)) == MAX_UNREAD


def test_a_peer_that_takes_some_is_sent_more() -> None:
    line, notices = Line(), Notices()
    for taken in range(10):
        line.progress = Progress(taken)
        assert all(notices.may_go(line) for _ in range(MAX_UNREAD))
    line.writable = True
    assert all(notices.may_go(line) for _ in range(10 * MAX_UNREAD))
