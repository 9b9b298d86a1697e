"""Waiting with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def within(awaitable: Awaitable[ResultT], seconds: float | None) -> ResultT:
    """The result of `awaitable`, which is cancelled where that takes longer; None waits as long as it takes.

    As `asyncio.wait_for`, which up to Python 3.11 loses a cancellation that comes together with the result: the task
    that it was for would go on.

    Raises:
        asyncio.TimeoutError: after so many seconds.
    """
    waited = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({waited}, timeout=seconds)
        late = not waited.done()
    except asyncio.CancelledError:
        await _end(waited)
        raise
    if late:
        await _end(waited)
        if waited.cancelled():
            raise asyncio.TimeoutError
    return waited.result()


async def _end(waited: asyncio.Future[ResultT]) -> None:
    """Cancel it, and wait for its end; what it raises is not for anybody."""
    waited.cancel()
    await asyncio.wait({waited})
    if not waited.cancelled():
        waited.exception()
