"""Waiting with a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

ResultT = TypeVar("ResultT")


async def within(awaitable: Awaitable[ResultT], seconds: float | None) -> ResultT:
    """Return the result of `awaitable`, or cancel it after `seconds`. With None it waits indefinitely.

    Unlike `asyncio.wait_for` before Python 3.12, it does not lose a cancellation that arrives together with the result:
    the calling task would run on.

    Raises:
        asyncio.TimeoutError: the result did not arrive in time.
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
    """Cancel `waited` and wait until it has ended. Its exception, if any, is dropped."""
    waited.cancel()
    await asyncio.wait({waited})
    if not waited.cancelled():
        waited.exception()
