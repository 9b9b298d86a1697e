"""Sessions that wait for their clients: an application's `pool` says how many are kept ready."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from wslink.errors import LaunchError
from wslink.launcher.session import Session, State

logger: logging.Logger = logging.getLogger("wslink.launcher")

BACKOFF = 10.0
"""Seconds without a new attempt, after a session of the pool did not start."""


class Pool:
    """Keeps sessions ready that nobody has yet: standbys.

    Args:
        wanted: how many, by application.
        sessions: the launcher's; its own are those that are `standby`.
        start: starts a standby of an application.
    """

    def __init__(
        self, wanted: Mapping[str, int], sessions: Mapping[str, Session], start: Callable[[str], Awaitable[Session]]
    ) -> None:
        self._wanted = {name: count for name, count in wanted.items() if count}
        self._sessions = sessions
        self._start = start
        self._not_before = 0.0
        self._starts: dict[asyncio.Task[None], str] = {}

    def take(self, application: str) -> Session | None:
        """The standby that has been ready for longest; it is none any more. None if there is none."""
        standby = next((one for one in self._standbys() if one.application == application), None)
        if standby is not None:
            standby.standby = False
        return standby

    def surplus(self) -> Session | None:
        """A standby that may be ended, because somebody needs its port."""
        self._not_before = time.monotonic() + BACKOFF
        return next(iter(self._standbys()), None)

    def fill(self) -> None:
        """Start what is missing. Called every second, and when a standby was taken."""
        if time.monotonic() < self._not_before:
            return
        for application, wanted in self._wanted.items():
            there = sum(one.application == application for one in self._standbys())
            coming = sum(name == application for name in self._starts.values())
            for _ in range(wanted - there - coming):
                task = asyncio.create_task(self._add(application))
                self._starts[task] = application
                task.add_done_callback(self._starts.pop)

    def close(self) -> None:
        """Start nothing any more."""
        self._wanted.clear()
        for task in self._starts:
            task.cancel()

    def _standbys(self) -> list[Session]:
        return [one for one in self._sessions.values() if one.standby and one.state is State.READY]

    async def _add(self, application: str) -> None:
        try:
            await self._start(application)
        except LaunchError as error:
            self._not_before = time.monotonic() + BACKOFF
            logger.warning("no session of %s could be kept ready: %s", application, error.message)
