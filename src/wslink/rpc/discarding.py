"""Disposal of awaitables that are never awaited."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from wslink.wire.value import Value


def discard(awaitable: Awaitable[Value]) -> None:
    """Dispose of an awaitable that was never awaited: a coroutine never runs, nor does a function that waits for a
    thread."""
    if inspect.iscoroutine(awaitable) or isinstance(awaitable, Concluded):
        awaitable.close()
    elif isinstance(awaitable, asyncio.Future):
        awaitable.cancel()


class Concluded:
    """An awaitable that reports its end: after it was awaited, or when it was discarded. A coroutine that is closed
    before it has begun reports nothing.

    Args:
        awaitable: what is awaited.
        over: called with the exception that it raised, or None.
    """

    __slots__ = ("_awaitable", "_begun", "_over")

    def __init__(self, awaitable: Awaitable[Value], over: Callable[[BaseException | None], None]) -> None:
        self._awaitable = awaitable
        self._over = over
        self._begun = False

    def __await__(self) -> Generator[Any, None, Value]:
        self._begun = True
        return self._run().__await__()

    def close(self) -> None:
        """Discard it, unless it has begun."""
        if not self._begun:
            self._begun = True
            discard(self._awaitable)
            self._over(None)

    async def _run(self) -> Value:
        try:
            result = await self._awaitable
        except BaseException as error:
            self._over(error)
            raise
        self._over(None)
        return result
