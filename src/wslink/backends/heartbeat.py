"""Pings, and the decision that a peer is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

MIN_INTERVAL = 1.0
"""Seconds; a shorter interval means no heartbeat (WSLINK_HEART_BEAT)."""
MAX_SILENT = 2
"""Intervals without a sign of life after which a peer is dead."""


class Heartbeat:
    """Pings a peer every `interval` seconds and calls `dead` once it has been silent for two of them.

    Busy is not dead: an interval counts only if the event loop was free to hear. After a tick that comes late (a
    method kept the loop for itself) the count starts afresh.

    Args:
        interval: seconds; below 1 there is no heartbeat.
        ping: sends a ping.
        dead: called once.
        progress: a number that changes while a message is arriving; one that takes long is a sign of life, too.

    Attributes:
        heard: set it to True when something arrives from the peer.
    """

    __slots__ = ("_dead", "_due", "_interval", "_loop", "_ping", "_progress", "_reached", "_silent", "_timer", "heard")

    def __init__(
        self,
        interval: float,
        ping: Callable[[], None],
        dead: Callable[[], None],
        progress: Callable[[], int] = lambda: 0,
    ) -> None:
        self.heard = True
        self._interval = interval
        self._ping = ping
        self._dead = dead
        self._progress = progress
        self._reached = 0
        self._loop = asyncio.get_running_loop()
        self._silent = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        if interval >= MIN_INTERVAL:
            self._schedule()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _schedule(self) -> None:
        self._due = self._loop.time() + self._interval
        self._timer = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        late = self._loop.time() - self._due > self._interval / 2
        reached = self._progress()
        self._silent = 0 if self.heard or late or reached != self._reached else self._silent + 1
        self.heard, self._reached = False, reached
        if self._silent >= MAX_SILENT:
            self._dead()
            return
        self._ping()
        self._schedule()
