"""Latest-wins calls: of a client's waiting calls, only the newest runs (TURN-5)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

from wslink.errors import Superseded
from wslink.wire.value import Value


class Turn:
    """The turns of the calls of one method. One call at a time has the turn, and one may wait for it."""

    __slots__ = ("_taken", "_waiting")

    def __init__(self) -> None:
        self._taken = False
        self._waiting: asyncio.Future[None] | None = None

    def wait(self, method: str) -> asyncio.Future[None]:
        """Wait for the turn, replacing the call that waits. After getting it, call `leave`."""
        loop = asyncio.get_running_loop()
        older, self._waiting = self._waiting, loop.create_future()
        if older is not None and not older.done():
            older.set_exception(Superseded("Superseded by a newer call", method))
        if not self._taken:
            self._taken = True
            loop.call_soon(self._next)
        return self._waiting

    def leave(self) -> None:
        """Pass the turn on, after reading what has arrived in the meantime."""
        asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is None or waiting.done():
            self._taken = False
        else:
            waiting.set_result(None)


class LatestCalls:
    """The turns of one client, by method."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: dict[str, Turn] = {}

    async def run(self, method: str, function: Callable[[], Value]) -> Value:
        """Run `function`, sync or async, when it is its turn. Raises Superseded if a newer call replaces it."""
        turn = self._turns.get(method)
        if turn is None:
            turn = self._turns[method] = Turn()
        mine = turn.wait(method)
        try:
            await mine
            result = function()
            return await result if inspect.isawaitable(result) else result
        finally:
            if mine.done() and not mine.cancelled() and mine.exception() is None:
                turn.leave()
