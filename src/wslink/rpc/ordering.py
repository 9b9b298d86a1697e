"""The order of what a running call publishes (ORD-2, ORD-3)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from wslink.rpc.call import Call, current_call


class ResponseFirst:
    """Holds back what a running call publishes until it has responded or suspended.

    A method runs in steps on the event loop; within one step nothing else runs. So whatever the running call publishes
    is held, and let go by the first of: its response (ORD-2), anything else that publishes, and the loop's next turn,
    by when the step has ended (ORD-3).
    """

    def __init__(self) -> None:
        self.holding: bool = False
        """Whether anything is held."""
        self._held: list[Callable[[], None]] = []
        self._holder: Call | None = None
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
            asyncio.get_running_loop().call_soon(self.release)
        self._held.append(deliver)

    def release(self) -> None:
        """Let go of what is held."""
        if not self.holding:
            return
        held, self._held, self._holder = self._held, [], None
        self.holding = False
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
