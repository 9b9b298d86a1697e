"""How fast a client's frames are processed, and whether the client keeps up (TURN-1 to TURN-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from wslink.session.intake import Intake, Source, Taker
from wslink.session.ports import SessionOwner
from wslink.session.send_queue import SendQueue, behind
from wslink.session.stall import Progress, StallWatch
from wslink.session.state import CLOSED
from wslink.wire.frames import Buffer


class Line(Source, Protocol):
    """The part of session.ports.Transport that pacing needs."""

    @property
    def writable(self) -> bool: ...
    @property
    def progress(self) -> Progress: ...


class Pace:
    """The pace of one client. Created when it is needed: most clients never fall behind.

    Args:
        session: handles frames.
        line: carries them.
        queue: the messages that wait for the client.
        owner: the server that the session belongs to.
        full: whether the client has as many calls running as it may.

    Attributes:
        intake: the frames that wait for their turn.
    """

    __slots__ = ("_backlog", "_full", "_limits", "_line", "_queue", "_session", "_stall", "_waiters", "intake")

    def __init__(
        self, session: Taker, line: Line, queue: SendQueue, owner: SessionOwner, full: Callable[[], bool]
    ) -> None:
        self._session = session
        self._line = line
        self._queue = queue
        self._limits = limits = owner.limits
        self._backlog = owner.backlog
        self._full = full
        self._waiters: list[asyncio.Future[None]] = []
        self.intake: Intake = Intake(session, line, owner.turns, self.is_behind, limits.max_held)
        self._stall = StallWatch(lambda: line.progress, limits.stall_timeout, self._unsent, self._stalled)

    def is_behind(self) -> bool:
        """Whether no more calls are accepted from the client, because much is waiting for it behind the message that is
        being sent, or because it has many calls running (TURN-2). Publications that wait until the page has handled
        more do not count: the page may be waiting for a call."""
        queue, most = self._queue, self._backlog.share
        return (queue.waiting + queue.taken > most and behind(queue) > most) or self._full()

    def watch(self) -> None:
        """Messages are waiting for the client. It has to accept some in time, and above a bound no calls are accepted
        from it."""
        if self.is_behind():
            self._session.credit = -1
        self._stall.begin()

    def moved(self) -> None:
        """Some of the waiting messages may have been sent."""
        if self._queue.waiting:
            self.watch()
        self.room()

    def room(self) -> None:
        """There may be room for waiting calls, and for waiting publishers."""
        if not self.is_behind():
            self.intake.wake()
        if self._waiters and self._queue.waiting <= self._limits.max_outbox:
            self._wake_publishers()

    async def room_again(self) -> None:
        """Wait until there may be room for a publisher's message."""
        if self._session.state is CLOSED:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake_publishers(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def stop(self) -> list[tuple[bool, Buffer | str]]:
        """Stop: the session has ended. Returns the frames that were not handled."""
        self._stall.stop()
        self._wake_publishers()
        return self.intake.give_up()

    def _unsent(self) -> int:
        """Bytes that wait because the transport does not accept more."""
        return 0 if self._line.writable else self._queue.waiting

    def _stalled(self, seconds: float) -> None:
        waiting = self._queue.waiting
        self._session.stalled(
            f"it has taken nothing for {seconds:g} s (stall_timeout), while {waiting} bytes wait for it"
        )
