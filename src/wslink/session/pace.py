"""The pace of a client: how much of its frames is processed at a time, and whether it keeps up (TURN-1 to TURN-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from wslink.session.intake import Intake, Source, Taker
from wslink.session.ports import SessionOwner
from wslink.session.send_queue import SendQueue, behind
from wslink.session.stall import Progress, StallWatch
from wslink.wire.frames import Buffer


class Line(Source, Protocol):
    """A transport as the pace of its client sees it (session.ports.Transport)."""

    @property
    def writable(self) -> bool: ...
    @property
    def progress(self) -> Progress: ...


class Pace:
    """The pace of one client. A session makes one when it needs it: most clients are never behind.

    Args:
        session: takes frames.
        line: what carries them.
        queue: what waits for the client.
        owner: the server that it belongs to.
        full: whether the client has as many calls under way as it may.
    """

    __slots__ = ("_backlog", "_full", "_intake", "_limits", "_line", "_queue", "_session", "_stall", "_waiters")

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
        self._intake = Intake(session, line, owner.turns, self.is_behind, limits.max_held)
        self._stall = StallWatch(lambda: line.progress, limits.stall_timeout, self._unsent, self._stalled)

    def is_behind(self) -> bool:
        """Whether no further calls are taken from the client: much waits for it behind a message that is being sent, or
        it has many calls under way, or has published much that others do not take (TURN-2). What waits until its page
        has dealt with more does not count: the page may wait for a call."""
        queue, publishers = self._queue, self._backlog.publishers
        if publishers.any and publishers.holds_up(self._session):
            return True
        waiting = queue.waiting - queue.gated
        if waiting:
            most = self._backlog.share
            if waiting > most and behind(queue) > most:
                return True
        return self._full()

    def holds(self, binary: bool, data: Buffer | str) -> bool:
        """Whether a frame waits for its turn (TURN-1); the session takes it now if not."""
        return self._intake.holds(binary, data)

    def read_on(self) -> None:
        """A response is waited for, which must be read past what waits for its turn."""
        self._intake.read_on()

    def withdraw(self, id_: str) -> bool:
        """A call that is not known is cancelled; whether it may be among those that wait for their turn (CAN-2)."""
        return self._intake.withdraw(id_)

    def withdrew(self, id_: str) -> bool:
        """Whether the call that is being taken was cancelled."""
        return self._intake.withdrew(id_)

    @property
    def withdraws(self) -> bool:
        """Whether any call that waits was cancelled."""
        return self._intake.withdraws

    @property
    def held(self) -> int:
        """Frames that wait for their turn."""
        return self._intake.held

    def watch(self) -> None:
        """Something waits for the client: it has to take some of it in time, and above a bound no calls are taken from
        it."""
        if self.is_behind():
            self._session.credit = -1
        self._stall.begin()

    def moved(self) -> None:
        """Some of what waited may have gone."""
        if self._queue.waiting:
            self.watch()
        self.room()

    def room(self) -> None:
        """There may be room for calls that wait, and for publishers that do."""
        if not self.is_behind():
            self._intake.wake()
        if self._waiters and self._queue.waiting <= self._limits.max_outbox:
            self._wake_publishers()

    async def room_again(self) -> None:
        """Return once there may be room for what a publisher has."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake_publishers(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def stop(self) -> list[tuple[bool, Buffer | str]]:
        """The session is over; the frames that were not taken."""
        self._stall.stop()
        self._wake_publishers()
        return self._intake.give_up()

    def _unsent(self) -> int:
        """Bytes that wait because the transport takes no more."""
        return 0 if self._line.writable else self._queue.waiting

    def _stalled(self, seconds: float) -> None:
        waiting = self._queue.waiting
        self._session.stalled(
            f"it has taken nothing for {seconds:g} s (stall_timeout), while {waiting} bytes wait for it"
        )
