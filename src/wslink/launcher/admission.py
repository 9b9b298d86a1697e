"""Admission control: limits on the sessions that one client may start."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping

from wslink.errors import RequestRefused
from wslink.launcher.configuration import Settings
from wslink.launcher.session import Session

MINUTE = 60.0
MAX_CLIENTS = 10_000
"""Clients whose starts are remembered; beyond that, those who have been quiet for longest are forgotten."""


class StartRate:
    """Limits the starts of each client per minute.

    Args:
        limit: how many; 0 for no limit. It may be changed.
        clock: returns seconds.
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
            raise too_fast(self.limit)
        starts.append(now)
        if len(self._starts) > MAX_CLIENTS:
            del self._starts[next(iter(self._starts))]


class Admission(ABC):
    """Limits the sessions that one client has and starts."""

    @abstractmethod
    def change(self, settings: Settings) -> None:
        """Use other settings from now on. Counts are kept."""

    @abstractmethod
    async def admit(self, client: str, session_id: str) -> None:
        """Count a session of a client before it is started; "" stands for nobody and is not counted. The session counts
        until it is deleted from the store.

        Raises:
            RequestRefused: with 429, if the client has or starts too many sessions. Nothing is counted then.
        """


class LocalAdmission(Admission):
    """Counts the sessions of this launcher.

    Args:
        settings: the launcher's.
        sessions: its sessions, by id.
    """

    def __init__(self, settings: Settings, sessions: Mapping[str, Session]) -> None:
        self._limit = settings.sessions_per_client
        self._sessions = sessions
        self._rate = StartRate(settings.starts_per_minute)

    def change(self, settings: Settings) -> None:
        self._limit, self._rate.limit = settings.sessions_per_client, settings.starts_per_minute

    async def admit(self, client: str, session_id: str) -> None:
        if client and self._limit and sum(one.client == client for one in self._sessions.values()) >= self._limit:
            raise too_many(self._limit)
        self._rate.count(client)


def too_many(limit: int) -> RequestRefused:
    return RequestRefused(f"sessions_per_client ({limit}) is reached", 429)


def too_fast(limit: int) -> RequestRefused:
    return RequestRefused(f"starts_per_minute ({limit}) is reached; try again later", 429)
