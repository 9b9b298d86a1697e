"""How much one client may start."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from wslink.errors import RequestRefused

MINUTE = 60.0
MAX_CLIENTS = 10_000
"""Clients whose starts are remembered; beyond that, those who have been quiet for longest are forgotten."""


class StartRate:
    """Bounds the starts of each client within any minute.

    Args:
        limit: how many; 0 for no bound.
        clock: seconds.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._starts: dict[str, deque[float]] = {}

    def count(self, client: str) -> None:
        """Count a start.

        Raises:
            RequestRefused: with 429, if there were too many.
        """
        if not self._limit or not client:
            return
        now = self._clock()
        starts = self._starts.pop(client, deque())
        while starts and starts[0] <= now - MINUTE:
            starts.popleft()
        self._starts[client] = starts
        if len(starts) >= self._limit:
            raise RequestRefused(f"starts_per_minute ({self._limit}) is reached; try again later", 429)
        starts.append(now)
        if len(self._starts) > MAX_CLIENTS:
            del self._starts[next(iter(self._starts))]
