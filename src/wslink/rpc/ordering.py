"""The order of a running call's publications and its response (ORD-2, ORD-3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wslink.rpc.call import Call, current_call

PATIENCE = 0.01
"""Seconds for which publications of a call on the application's thread wait for its response."""


class ResponseFirst:
    """Holds back what a running call publishes until it has responded or suspended.

    A method runs in steps on the event loop; within one step nothing else runs. What the running call publishes is held
    until the first of these: its response (ORD-2), another publication, or the next turn of the event loop, when the
    step has ended (ORD-3).

    A step on the application's thread may take arbitrarily long. It reports its end, and after `PATIENCE` seconds it is
    no longer waited for (ORD-3).
    """

    def __init__(self) -> None:
        self.holding: bool = False
        """Whether anything is held."""
        self._held: list[Callable[[], None]] = []
        self._holder: Call | None = None
        self._overdue: Call | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due: deque[Callable[[], None]] = deque()
        self._delivering = False

    def submit(self, deliver: Callable[[], None]) -> None:
        """Run `deliver` now, or when the running call has responded or suspended. Call it on the event loop's
        thread."""
        call = current_call.get()
        if call is not self._holder:
            self.release()
        if call is None or call.answered:
            self._deliver([deliver])
            return
        if not self.holding:
            self.holding = True
            self._holder = call
            asyncio.get_running_loop().call_soon(self.release, call)
        self._held.append(deliver)

    def submit_of(self, call: Call, deliver: Callable[[], None]) -> None:
        """Like `submit`, for what a step of `call` publishes on another thread."""
        if call is not self._holder:
            self.release()
        if call.answered or call is self._overdue:
            self._deliver([deliver])
            return
        if not self.holding:
            self.holding = True
            self._holder = call
            self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._lose_patience, call)
        self._held.append(deliver)

    def suspended(self, call: Call) -> None:
        """A step of `call` on another thread has ended."""
        if call is self._overdue:
            self._overdue = None
        self.release(call)

    def _lose_patience(self, call: Call) -> None:
        self._overdue = call
        self.release()

    def release(self, call: Call | None = None) -> None:
        """Deliver what is held; if `call` is given, only what it has published."""
        if not self.holding or (call is not None and call is not self._holder):
            return
        held, self._held, self._holder = self._held, [], None
        self.holding = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deliver(held)

    def _deliver(self, deliveries: list[Callable[[], None]]) -> None:
        """Run the deliveries in order. What is published in the meantime (a client over its limit is disconnected, and
        a handler notifies the others) comes after them, for every client (ORD-1)."""
        self._due.extend(deliveries)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._due:
                self._due.popleft()()
        finally:
            self._delivering = False
