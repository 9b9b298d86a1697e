"""Turns for connections that coroutines read from and write to: a coroutine whose awaits never suspend would keep all
others waiting.

This is start-time fair queueing: a connection that has used more of the event loop's time than others waits until they
have used as much, and one that has used less continues at once (Goyal, Vin and Cheng, "Start-time Fair Queueing",
1996).
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Awaitable
from time import monotonic

from wslink.per_loop import per_loop

TURN = 0.001
"""Seconds per turn of the event loop that connections use before those that have used more than others wait. The same
amount of the next turn is given to these."""
READING = 0.0001
"""Gaps of up to this many seconds between two messages of one turn count as the time in which a library has read the
second one."""


class Schedule:
    """The schedule of one event loop: which connections continue in which turn.

    Attributes:
        number: the number of the turn. Turns are counted while connections use any time.
        is_open: whether the turn will be followed by another one.
        spent: seconds that were used in this turn.
        had: the least number of seconds that any waiting connection has had.
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
        """Count the time that is used from now on, until the turn ends."""
        self.is_open = True
        asyncio.get_running_loop().call_soon(self._next)

    def wait(self, share: Share) -> asyncio.Future[None]:
        """Return a future that is done when it is the connection's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._order += 1
        heapq.heappush(self._waiting, (share.had, self._order, share, future))
        return future

    def _next(self) -> None:
        """Begin the next turn: it goes to the connections that have had least, as many as fit."""
        self.number += 1
        waiting, given = self._waiting, 0.0
        if not waiting:  # there was time for all: no connection has had too much
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
    """The share of one connection in its event loop's time, for one activity such as handling its messages.

    Attributes:
        had: the seconds that it has had, including those that others have had while it was idle.
    """

    __slots__ = ("_began", "_schedule", "_started", "_took", "_turn", "had")

    def __init__(self) -> None:
        self._schedule = _schedule()
        self._turn = -1
        self._began = 0.0
        self.had: float = 0.0
        self._started = 0.0  # the value of `had` when its turn began
        self._took = TURN  # seconds used in the previous turn

    def begin(self) -> bool:
        """Begin to use time. If it has already done something in this turn, the time that it took to read the current
        message counts, too. Returns whether that is so."""
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
        """Whether it has to wait for others, with `turn`, before it continues."""
        schedule = self._schedule
        if self._turn != schedule.number:  # it has waited for something in the meantime
            return False
        now = monotonic()
        cost, self._began = now - self._began, now
        schedule.spent += cost
        self.had = max(self.had, schedule.had) + cost
        return schedule.spent > TURN and self.had > schedule.had + TURN

    def turn(self) -> Awaitable[None]:
        """Wait until others have had as much."""
        self._took = min(self.had - self._started, TURN)
        return self._schedule.wait(self)

    def begin_turn(self) -> float:
        """Begin its turn. Returns the seconds that it will take, estimated from its previous turn."""
        self._started = self.had
        return self._took


@per_loop
def _schedule() -> Schedule:
    """The schedule of the running event loop."""
    return Schedule()
