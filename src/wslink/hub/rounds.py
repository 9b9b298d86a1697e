"""Work for many clients, spread over turns of the event loop, so that others wait no longer than one piece of it
takes."""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable
from time import monotonic

from wslink.per_loop import per_loop

TURN = 0.004
"""Seconds per turn of the event loop. The rest waits for the next turn."""


class Rounds:
    """Calls functions soon, in rounds: one function of each client per round."""

    def __init__(self) -> None:
        self._clients: deque[object] = deque()
        self._waiting: dict[object, deque[Callable[[], None]]] = {}
        self._scheduled = False

    def add(self, client: object, function: Callable[[], None]) -> None:
        """Call `function` in one of the next turns of the event loop, in a new context."""
        functions = self._waiting.get(client)
        if functions is not None:
            functions.append(function)
            return
        self._waiting[client] = deque((function,))
        self._clients.append(client)
        self._schedule()

    def _schedule(self) -> None:
        if self._clients and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run, context=contextvars.Context())

    def _run(self) -> None:
        self._scheduled = False
        end = monotonic() + TURN
        try:
            for _ in range(sum(map(len, self._waiting.values()))):  # functions that these add wait for the next turn
                contextvars.Context().run(self._next())
                if monotonic() > end:
                    break
        finally:
            self._schedule()

    def _next(self) -> Callable[[], None]:
        """The next function. If its client has more, they come after those of the others."""
        client = self._clients.popleft()
        functions = self._waiting[client]
        function = functions.popleft()
        if functions:
            self._clients.append(client)
        else:
            del self._waiting[client]
        return function


@per_loop
def rounds() -> Rounds:
    """The rounds of the running event loop."""
    return Rounds()
