"""Watching sessions: those that have ended, or that are not used, are stopped."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from wslink.launcher.configuration import Configuration
from wslink.launcher.session import Session, State
from wslink.launcher.usage import connections

logger: logging.Logger = logging.getLogger("wslink.launcher")

REAP_INTERVAL = 1.0
"""Seconds between two looks at which sessions have ended or are idle."""


class Watcher:
    """Checks sessions every second.

    Args:
        configuration: determines how long sessions may last and be idle.
        sessions: the launcher's, by id.
        stop: stops a session, with a reason.
        each_second: called after each check.

    Attributes:
        configuration: may be replaced.
    """

    def __init__(
        self,
        configuration: Configuration,
        sessions: Mapping[str, Session],
        stop: Callable[[str, str], Awaitable[None]],
        each_second: Callable[[], None],
    ) -> None:
        self.configuration = configuration
        self._sessions = sessions
        self._stop = stop
        self._each_second = each_second
        self._stops: set[asyncio.Future[None]] = set()

    async def watch(self) -> None:
        """Watch until cancelled."""
        while True:
            await asyncio.sleep(REAP_INTERVAL)
            try:
                await self._notice_use()
                for session in list(self._sessions.values()):
                    if session.state is State.READY:
                        await self._reap(session)
                self._each_second()
            except Exception:
                logger.exception("sessions could not be watched")

    async def _reap(self, session: Session) -> None:
        """Stop a session that has ended or is not used. Others are not delayed."""
        assert session.spawner is not None
        code = await session.spawner.poll()
        idle, allowed = time.monotonic() - session.used, self._idle_timeout(session)
        age, oldest = session.age, self._max_age(session)
        if code is not None:
            self.stop_soon(session, f"its process ended with exit code {code}")
        elif session.standby:
            return  # its time starts when a client gets it
        elif oldest and age > oldest:
            self.stop_soon(session, f"max_age ({oldest:g} s) is reached")
        elif allowed and idle > allowed:
            self.stop_soon(session, f"nobody used it for {idle:.0f} s")

    def _idle_timeout(self, session: Session) -> float:
        """Seconds without connections after which a session ends; 0 for never."""
        app = self.configuration.apps.get(session.application)
        own = app.idle_timeout if app is not None else None
        return self.configuration.settings.idle_timeout if own is None else own

    def _max_age(self, session: Session) -> float:
        """Seconds after which a session ends in any case; 0 for never."""
        app = self.configuration.apps.get(session.application)
        own = app.max_age if app is not None else None
        return self.configuration.settings.max_age if own is None else own

    def stop_soon(self, session: Session, reason: str) -> None:
        """Stop a session, without waiting for its end."""
        task = asyncio.ensure_future(self._stop(session.id, reason))
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)

    async def _notice_use(self) -> None:
        """Record which sessions have connections, through any proxy."""
        if not any(map(self._idle_timeout, self._sessions.values())):
            return
        busy = await asyncio.to_thread(connections)
        for session in self._sessions.values():
            if session.connections or session.address[1] in busy:
                session.used = time.monotonic()
