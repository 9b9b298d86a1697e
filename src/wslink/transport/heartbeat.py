"""Pings, and the decision that a peer is gone."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable

MIN_INTERVAL = 1.0
"""Seconds; a shorter interval means no heartbeat (WSLINK_HEART_BEAT)."""
MAX_SILENT = 2
"""Intervals without a sign of life after which a peer is dead."""
STEPS = 16
"""Parts of an interval. The heartbeats of one part share its timer."""


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

    __slots__ = ("_dead", "_ping", "_progress", "_reached", "_silent", "_step", "heard")

    def __init__(
        self,
        interval: float,
        ping: Callable[[], None],
        dead: Callable[[], None],
        progress: Callable[[], int] = lambda: 0,
    ) -> None:
        self.heard: bool = True
        self._ping = ping
        self._dead = dead
        self._progress = progress
        self._reached = 0
        self._silent = 0
        self._step: set[Heartbeat] | None = _wheel(interval).join(self) if interval >= MIN_INTERVAL else None

    def stop(self) -> None:
        if self._step is not None:
            self._step.discard(self)

    def tick(self, late: bool) -> None:
        """An interval has gone by."""
        reached = self._progress()
        self._silent = 0 if self.heard or late or reached != self._reached else self._silent + 1
        self.heard, self._reached = False, reached
        if self._silent >= MAX_SILENT:
            self.stop()
            self._dead()
        else:
            self._ping()


class _Wheel:
    """Ticks for the heartbeats of one interval on one event loop, spread over it. With a timer for each, thousands of
    idle clients would cost more."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._steps: list[set[Heartbeat]] = [set() for _ in range(STEPS)]
        self._current = 0
        self._due = 0.0
        self._running = False

    def join(self, heartbeat: Heartbeat) -> set[Heartbeat]:
        """Tick `heartbeat` from now on, for the first time an interval from now, until it is taken out of the step
        that is returned."""
        step = self._steps[self._current]
        step.add(heartbeat)
        if not self._running:
            self._running = True
            self._schedule()
        return step

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._interval / STEPS
        loop.call_at(self._due, self._turn)

    def _turn(self) -> None:
        late = asyncio.get_running_loop().time() - self._due > self._interval / 2
        self._current = (self._current + 1) % STEPS
        for heartbeat in list(self._steps[self._current]):
            heartbeat.tick(late)
        self._running = any(self._steps)
        if self._running:
            self._schedule()


_wheels: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[float, _Wheel]] = weakref.WeakKeyDictionary()


def _wheel(interval: float) -> _Wheel:
    wheels = _wheels.setdefault(asyncio.get_running_loop(), {})
    if interval not in wheels:
        wheels[interval] = _Wheel(interval)
    return wheels[interval]
