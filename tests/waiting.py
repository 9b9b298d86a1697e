"""Waiting for what comes in its own time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Return once the condition holds, which fails after as many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"after {seconds:g} s it is still not so"
        await asyncio.sleep(0.005)
