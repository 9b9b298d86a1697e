"""Keepalive pings and dead-peer detection."""

from __future__ import annotations

import asyncio
from typing import Protocol

from wslink.per_loop import per_loop
from wslink.transport.tcp import Line

MIN_INTERVAL = 1.0
"""Seconds. A shorter interval disables the heartbeat (WSLINK_HEART_BEAT)."""
MAX_SILENT = 2
"""Intervals without a sign of life after which a peer is dead, if its operating system does not respond either."""
MAX_UNRESPONSIVE = 4
"""Intervals if its operating system responds: the process is there, but busy."""
MIN_TAKEN = 1024
"""Bytes that a peer has to accept in an interval for it to be a sign of life: more than the pings themselves."""
SLOWEST, MAX_GRACE = 256 * 1024, 30.0
"""Bytes per second in which what was taken without a word may still be on its way to the peer, in buffers of proxies;
and the seconds that this may lengthen its time."""
STEPS = 16
"""Parts of an interval. The heartbeats of one part share a timer."""


class Peer(Protocol):
    """The other end of a connection, as its heartbeat sees it."""

    def beat(self) -> None:
        """Send a ping."""

    def dead(self, reason: str) -> None:
        """There was no sign of life for too long. Called once."""

    def arrived(self) -> int:
        """A number that changes while a message is arriving: a long message is a sign of life, too."""

    def line(self) -> Line:
        """The state of the connection."""


class Heartbeat:
    """Pings a peer every `interval` seconds, and declares it dead after several intervals without a sign of life.

    Signs of life are data that arrives, including parts of a message, and data that the peer accepts, since a pong is
    queued behind everything that was sent before. A busy process is not a dead peer: an interval counts only if the
    event loop was able to notice data. After a late tick (a method has blocked the loop) counting starts again.

    Args:
        interval: seconds; below 1 there is no heartbeat.
        peer: see Peer.

    Attributes:
        heard: set it to True when something arrives from the peer.
    """

    __slots__ = ("_arrived", "_interval", "_peer", "_silent", "_step", "_taken", "_unanswered", "heard")

    def __init__(self, interval: float, peer: Peer) -> None:
        self.heard: bool = True
        self._interval = interval
        self._peer = peer
        self._arrived = 0
        self._taken = 0
        self._unanswered = 0  # bytes that were taken since the peer was heard last
        self._silent = 0
        self._step: set[Heartbeat] | None = _wheel(interval).join(self) if interval >= MIN_INTERVAL else None

    def stop(self) -> None:
        if self._step is not None:
            self._step.discard(self)

    def tick(self, late: bool) -> None:
        """An interval has passed."""
        arrived, (taken, answered, _) = self._peer.arrived(), self._peer.line()
        more = taken - self._taken
        if self.heard or late or arrived != self._arrived:
            self._silent = self._unanswered = 0
        elif more >= MIN_TAKEN:
            self._silent = 0
            self._unanswered += more
        else:
            self._silent += 1
        self.heard, self._arrived, self._taken = False, arrived, taken
        intervals = MAX_UNRESPONSIVE if answered < MAX_SILENT * self._interval else MAX_SILENT
        grace = min(self._unanswered / SLOWEST, MAX_GRACE)
        if self._silent * self._interval >= intervals * self._interval + grace:
            self.stop()
            self._peer.dead(f"no sign of life for {self._silent * self._interval:g} s")
        else:
            self._peer.beat()


class _Wheel:
    """Ticks for the heartbeats of one interval on one event loop, spread over the interval. One timer each would be
    more expensive for thousands of idle clients."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._steps: list[set[Heartbeat]] = [set() for _ in range(STEPS)]
        self._current = 0
        self._due = 0.0
        self._running = False

    def join(self, heartbeat: Heartbeat) -> set[Heartbeat]:
        """Tick `heartbeat` from now on, until it is removed from the step that is returned. The first tick is an
        interval from now."""
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
        step = self._steps[self._current]
        for heartbeat in step:
            asyncio.get_running_loop().call_soon(self._tick, step, heartbeat, late)  # an exception affects no other
        self._running = any(self._steps)
        if self._running:
            self._schedule()

    def _tick(self, step: set[Heartbeat], heartbeat: Heartbeat, late: bool) -> None:
        if heartbeat in step:
            heartbeat.tick(late)


@per_loop
def _wheel(interval: float) -> _Wheel:
    """The wheel for heartbeats of this interval on the running event loop."""
    return _Wheel(interval)
