"""How much one client may start."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

from wslink.errors import RequestRefused
from wslink.launcher.configuration import Settings
from wslink.launcher.session import Session

MINUTE = 60.0
MAX_CLIENTS = 10_000
"""Clients whose starts are remembered; beyond that, those who have been quiet for longest are forgotten."""


class StartRate:
    """Bounds the starts of each client within any minute.

    Args:
        limit: how many; 0 for no bound. It may be changed.
        clock: seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._starts: dict[str, deque[float]] = {}

    def count(self, client: str) -> None:
        """Count a start.

        Raises:
            RequestRefused: with 429, if there were too many.
        """
        if not self.limit or not client:
            return
        now = self._clock()
        starts = self._starts.pop(client, deque())
        while starts and starts[0] <= now - MINUTE:
            starts.popleft()
        self._starts[client] = starts
        if len(starts) >= self.limit:
            raise RequestRefused(f"starts_per_minute ({self.limit}) is reached; try again later", 429)
        starts.append(now)
        if len(self._starts) > MAX_CLIENTS:
            del self._starts[next(iter(self._starts))]


class Admission:
    """Bounds what one client has and starts.

    Args:
        settings: the launcher's.
        sessions: those that there are, by id.
    """

    def __init__(self, settings: Settings, sessions: Mapping[str, Session]) -> None:
        self._limit = settings.sessions_per_client
        self._sessions = sessions
        self._rate = StartRate(settings.starts_per_minute)

    def change(self, settings: Settings) -> None:
        """Follow other settings from now on; what was counted stays."""
        self._limit, self._rate.limit = settings.sessions_per_client, settings.starts_per_minute

    def admit(self, client: str) -> None:
        """Count a start of a client; "" is nobody, and is not counted.

        Raises:
            RequestRefused: with 429, if it has or starts too many sessions.
        """
        if client and self._limit and sum(one.client == client for one in self._sessions.values()) >= self._limit:
            raise RequestRefused(f"sessions_per_client ({self._limit}) is reached", 429)
        self._rate.count(client)
