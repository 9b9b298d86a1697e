"""Work for many clients, spread over turns of the event loop: others wait no longer than one piece of it takes."""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic

TURN = 0.004
"""Seconds of a turn of the event loop after which the rest waits for the next one."""


class Rounds:
    """Calls functions soon, for each client one after the other, and for all clients in rounds: with one each."""

    def __init__(self) -> None:
        self._clients: deque[object] = deque()
        self._waiting: dict[object, deque[Callable[[], None]]] = {}
        self._scheduled = False

    def add(self, client: object, function: Callable[[], None]) -> None:
        """Call `function` in one of the event loop's next turns, in a context of its own."""
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
            for _ in range(sum(map(len, self._waiting.values()))):  # what these add waits for the next turn
                contextvars.Context().run(self._next())
                if monotonic() > end:
                    break
        finally:
            self._schedule()

    def _next(self) -> Callable[[], None]:
        """The function whose turn it is; that client's next one comes after those of the others."""
        client = self._clients.popleft()
        functions = self._waiting[client]
        function = functions.popleft()
        if functions:
            self._clients.append(client)
        else:
            del self._waiting[client]
        return function


_rounds: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Rounds] = weakref.WeakKeyDictionary()


def rounds() -> Rounds:
    """Those of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _rounds.get(loop)
    if found is None:
        found = _rounds[loop] = Rounds()
    return found
