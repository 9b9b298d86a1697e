"""Standbys: sessions that are kept ready for clients. An application's `pool` determines how many."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping

from wslink.errors import LaunchError
from wslink.launcher.configuration import Application
from wslink.launcher.session import Session, State

logger: logging.Logger = logging.getLogger("wslink.launcher")

BACKOFF = 10.0
"""Seconds without a new attempt, after a session of the pool did not start."""


class Pool:
    """Keeps standbys ready.

    Args:
        apps: the applications, by name; each determines how many.
        sessions: the launcher's; standbys are those with `standby` set.
        start: starts a standby of an application.
    """

    def __init__(
        self,
        apps: Mapping[str, Application],
        sessions: Mapping[str, Session],
        start: Callable[[str], Awaitable[Session]],
    ) -> None:
        self._wanted = _wanted(apps)
        self._sessions = sessions
        self._start = start
        self._not_before = 0.0
        self._starts: dict[asyncio.Task[None], str] = {}

    def take(self, application: str) -> Session | None:
        """Return the standby that has been ready longest, which is then no longer one; None if there is none."""
        standby = next((one for one in self._standbys() if one.application == application), None)
        if standby is not None:
            standby.standby = False
        return standby

    def surplus(self) -> Session | None:
        """A standby that may be ended because its port is needed."""
        self._not_before = time.monotonic() + BACKOFF
        return next(iter(self._standbys()), None)

    def fill(self) -> None:
        """Start missing standbys. Called every second, and when one was taken."""
        if time.monotonic() < self._not_before:
            return
        for application, wanted in self._wanted.items():
            there = sum(one.application == application for one in self._standbys())
            coming = sum(name == application for name in self._starts.values())
            for _ in range(wanted - there - coming):
                task = asyncio.create_task(self._add(application))
                self._starts[task] = application
                task.add_done_callback(self._starts.pop)

    def change(self, apps: Mapping[str, Application], outdated: Collection[str]) -> list[Session]:
        """Keep standbys of other applications ready from now on.

        Args:
            apps: the applications, by name.
            outdated: those that are started differently now. Starts of their standbys are given up.

        Returns:
            Standbys to end: of these applications, and those that are too many now.
        """
        self._wanted, self._not_before = _wanted(apps), 0.0
        for task, application in self._starts.items():
            if application in outdated:
                task.cancel()
        ends, kept = [], Counter[str]()
        for standby in self._standbys():
            kept[standby.application] += 1
            if standby.application in outdated or kept[standby.application] > self._wanted.get(standby.application, 0):
                ends.append(standby)
        return ends

    def close(self) -> None:
        """Start no more."""
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


def _wanted(apps: Mapping[str, Application]) -> dict[str, int]:
    return {name: app.pool for name, app in apps.items() if app.pool}
