"""Readiness of sessions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from wslink.errors import StartFailed
from wslink.launcher.listeners import ForeignListener, reach
from wslink.launcher.log import LineWatch, tail
from wslink.launcher.ports import Address, reachable
from wslink.launcher.session import Session, State
from wslink.launcher.spawners.base import Spawner
from wslink.waiting import within

INTERVAL = 0.02
"""Seconds between two looks."""
DIAL_TIMEOUT = 1.0
"""Seconds for one attempt to reach a port."""


Waits = Callable[[str], None]
"""Told what a session waits for, when that changes."""


async def until_ready(session: Session, ready_line: str | None, log: Path, timeout: float, waits: Waits) -> None:
    """Wait until a started session has written its ready line, or accepts connections if it has none. Also returns if
    it is stopped in the meantime.

    Raises:
        StartFailed: it ends before, or is not ready within `timeout` seconds.
    """
    assert session.spawner is not None
    try:
        await within(_ready(session, session.spawner, ready_line, log, waits), timeout)
    except asyncio.TimeoutError:
        text = "Session did not start before timeout expired. Check session logs."
        if not await is_own(session.spawner):
            text = "Another user's process listens on the session's port."
        raise StartFailed(text, None, tail(log, session.secrets)) from None
    except _Ended as end:
        text = f"The process did not properly start: it ended with exit code {end.code}."
        raise StartFailed(text, end.code, tail(log, session.secrets)) from None


class _Ended(Exception):
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def _ready(session: Session, spawner: Spawner, ready_line: str | None, log: Path, waits: Waits) -> None:
    told = ""
    watch = LineWatch(log, ready_line or "")
    while session.state is State.STARTING:
        # In this order, so that a session that has ended is never reported as ready.
        found = watch.look() if ready_line else await accepts(spawner.address())
        owned = not found or await is_own(spawner)
        code = await spawner.poll()
        if code is not None:
            raise _Ended(code)
        if found and owned and spawner.address()[1]:
            return
        if spawner.progress() != told:
            told = spawner.progress()
            waits(told)
        await asyncio.sleep(INTERVAL)


async def is_own(spawner: Spawner) -> bool:
    """Whether the process that listens on a session's port does not belong to another user. True if nothing listens."""
    with contextlib.suppress(OSError):
        try:
            await dial_address(spawner)
        except ForeignListener:
            return False
    return True


async def dial_address(spawner: Spawner) -> str:
    """The address to connect to a session. Raises ForeignListener, and OSError if its host is not found."""
    host, port = spawner.address()
    users = spawner.users()
    return reachable(host) if users is None else await reach(host, port, users)


async def accepts(address: Address) -> bool:
    """Whether something accepts connections there."""
    dialled = asyncio.open_connection(reachable(address[0]), address[1])
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        _, writer = await within(dialled, DIAL_TIMEOUT)
        writer.close()
        return True
    return False
