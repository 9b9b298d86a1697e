"""What a client may make its server do at a time, and how it keeps up with what it is sent."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from wslink.session.intake import Intake
from wslink.session.stall import StallWatch
from wslink.wire.frames import Buffer

if TYPE_CHECKING:
    from wslink.rpc.dispatcher import Dispatcher
    from wslink.session.ports import SessionOwner, Transport
    from wslink.session.session import Session


class Pace:
    """The pace of one client. A session makes one when it needs it: most clients are never behind.

    Args:
        session, transport, owner, dispatcher: the session, what carries it, its server and what runs its calls.
    """

    __slots__ = ("_dispatcher", "_intake", "_max_outbox", "_session", "_stall", "_waiters")

    def __init__(self, session: Session, transport: Transport, owner: SessionOwner, dispatcher: Dispatcher) -> None:
        limits = owner.limits
        self._session = session
        self._dispatcher = dispatcher
        self._max_outbox = limits.max_outbox
        self._waiters: list[asyncio.Future[None]] = []
        self._intake = Intake(session, transport, owner.turns, self.is_behind, limits.max_held)
        self._stall = StallWatch(transport, limits.stall_timeout, lambda: session.queue.waiting, self._stalled)

    def is_behind(self) -> bool:
        """Whether nothing further is taken from the client: much waits for it, or it has many calls under way
        (LIM-6, LIM-10)."""
        return self._session.queue.waiting > self._max_outbox or self._dispatcher.full

    def holds(self, binary: bool, data: Buffer | str) -> bool:
        """Whether a frame waits for its turn (TURN-1); the session takes it now if not."""
        return self._intake.holds(binary, data)

    def watch(self) -> None:
        """Something waits for the client: it has to take some of it in time, and above a bound no calls are taken from
        it."""
        if self._session.queue.waiting > self._max_outbox:
            self._session.credit = -1
        self._stall.begin()

    def room(self) -> None:
        """There may be room for calls that wait, and for publishers that do."""
        if not self.is_behind():
            self._intake.wake()
        if self._waiters and self._session.has_room:
            self._wake_publishers()

    async def room_again(self) -> None:
        """Return once there may be room for what a publisher has."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._session.credit = -1  # so that `room` is called
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

    def _stalled(self, seconds: float) -> None:
        session = self._session
        session.close(
            1008,
            f"it has taken nothing for {seconds:g} s (stall_timeout), while {session.queue.waiting} bytes wait for it",
        )
