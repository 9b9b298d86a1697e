"""The order of what a running call publishes (ORD-2, ORD-3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wslink.rpc.call import Call, current_call

PATIENCE = 0.01
"""Seconds that what a call publishes on the application's thread is held for its response."""


class ResponseFirst:
    """Holds back what a running call publishes until it has responded or suspended.

    A method runs in steps on the event loop; within one step nothing else runs. So whatever the running call publishes
    is held, and let go by the first of: its response (ORD-2), anything else that publishes, and the loop's next turn,
    by when the step has ended (ORD-3).

    A step of a call that runs on the application's thread takes as long as it likes meanwhile: it says when it has
    ended, and after `PATIENCE` seconds it is not waited for (ORD-3).
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
        """Run `deliver` now, or once the running call has answered or suspended. Call it on the event loop's thread."""
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
        """As `submit`, for what a step of `call` on another thread publishes."""
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
        """Let go of what is held: of `call` alone where it is given."""
        if not self.holding or (call is not None and call is not self._holder):
            return
        held, self._held, self._holder = self._held, [], None
        self.holding = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deliver(held)

    def _deliver(self, deliveries: list[Callable[[], None]]) -> None:
        """Run them in order. What is published meanwhile (a client at its bound is disconnected, and a handler tells
        the others) comes after them, for every client (ORD-1)."""
        self._due.extend(deliveries)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._due:
                self._due.popleft()()
        finally:
            self._delivering = False
