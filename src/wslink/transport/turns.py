"""Turns of connections that coroutines read from and write to: a coroutine whose awaits never suspend would keep all
others waiting.

Fair queueing by start time: who has had more of the event loop's time than others waits until they have had as much,
and whoever has had less goes on at once (Goyal, Vin and Cheng, "Start-time Fair Queueing", 1996).
"""

from __future__ import annotations

import asyncio
import heapq
import weakref
from collections.abc import Awaitable
from time import monotonic

TURN = 0.001
"""Seconds that connections take of one turn of the event loop before those that have had more than others wait; so much
of the next one is given to them."""
READING = 0.0001
"""Seconds between two messages of one turn that are taken for the time in which a library has read the second one."""


class Schedule:
    """The schedule of one event loop: which connections go on in which turn.

    Attributes:
        number: of the turn, counted while connections take any time.
        is_open: whether it will be followed by another one.
        spent: seconds that were taken in it.
        had: seconds that each connection which waits has had at least.
    """

    __slots__ = ("_order", "_waiting", "had", "is_open", "number", "spent")

    def __init__(self) -> None:
        self.number: int = 0
        self.is_open: bool = False
        self.spent: float = 0.0
        self.had: float = 0.0
        self._order = 0
        self._waiting: list[tuple[float, int, Share, asyncio.Future[None]]] = []

    def open(self) -> None:
        """Count what is taken from now on until the turn ends."""
        self.is_open = True
        asyncio.get_running_loop().call_soon(self._next)

    def wait(self, share: Share) -> asyncio.Future[None]:
        """Done when it is the turn of a connection."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._waiting, (share.had, self._order, share, future))
        return future

    def _next(self) -> None:
        """The next turn has begun: it is that of the connections which have had least, as many as fit."""
        self.number += 1
        waiting, given = self._waiting, 0.0
        if not waiting:  # there was time for all: nobody has had too much
            self.is_open = False
            self.had += self.spent
        self.spent = 0.0
        while waiting and given < TURN:
            had, _, share, future = heapq.heappop(waiting)
            if not future.done():  # its connection goes on
                self.had = had
                given += share.begin_turn()
                future.set_result(None)
        if self.is_open:
            asyncio.get_running_loop().call_soon(self._next)


class Share:
    """The share of one connection in its event loop's time for one activity, such as handling its messages.

    Attributes:
        had: seconds, in which those count that others have had while it had none.
    """

    __slots__ = ("_began", "_schedule", "_started", "_took", "_turn", "had")

    def __init__(self) -> None:
        self._schedule = _schedule()
        self._turn = -1
        self._began = 0.0
        self.had: float = 0.0
        self._started = 0.0  # what it had had when its turn began
        self._took = TURN  # in the turn before that

    def begin(self) -> bool:
        """It takes time from now on, and did to read what it does now if it has done something in this turn; whether it
        has."""
        schedule = self._schedule
        if not schedule.is_open:
            schedule.open()
        now = monotonic()
        if self._turn != schedule.number:
            self._turn, self._began = schedule.number, now
            return False
        self._began = max(self._began, now - READING)
        return True

    def is_over(self) -> bool:
        """Whether others come first before it goes on, which it does after `turn`."""
        schedule = self._schedule
        if self._turn != schedule.number:  # it has waited for something meanwhile
            return False
        now = monotonic()
        cost, self._began = now - self._began, now
        schedule.spent += cost
        self.had = max(self.had, schedule.had) + cost
        return schedule.spent > TURN and self.had > schedule.had + TURN

    def turn(self) -> Awaitable[None]:
        """Return when others have had as much."""
        self._took = min(self.had - self._started, TURN)
        return self._schedule.wait(self)

    def begin_turn(self) -> float:
        """Its turn begins; the seconds that it will take, by what it took before."""
        self._started = self.had
        return self._took


_schedules: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Schedule] = weakref.WeakKeyDictionary()


def _schedule() -> Schedule:
    """That of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _schedules.get(loop)
    if found is None:
        found = _schedules[loop] = Schedule()
    return found
