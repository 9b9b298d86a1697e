"""Pings, and the decision that a peer is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MIN_INTERVAL = 1.0
"""Seconds; a shorter interval means no heartbeat (WSLINK_HEART_BEAT)."""


class Heartbeat:
    """Pings a peer every `interval` seconds and calls `dead` once it has been silent for two of them.

    Busy is not dead: silence counts only while the event loop was free to hear. A tick that comes late (a method kept
    the loop for itself) starts
    the count afresh.

    Args:
        interval: seconds; below 1 there is no heartbeat.
        ping: sends a ping.
        dead: called once.
    """

    def __init__(self, interval: float, ping: Callable[[], None], dead: Callable[[], None]) -> None:
        self._interval = interval
        self._ping = ping
        self._dead = dead
        self._loop = asyncio.get_running_loop()
        self._heard = self._due = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        if interval >= MIN_INTERVAL:
            self._schedule()

    def heard(self) -> None:
        """Something arrived from the peer."""
        self._heard = self._loop.time()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        self._due = self._loop.time() + self._interval
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        now = self._loop.time()
        if now - self._due > self._interval / 2:
            self._heard = now
        if now - self._heard >= 2 * self._interval:
            self._dead()
            return
        self._ping()
        self._schedule()
