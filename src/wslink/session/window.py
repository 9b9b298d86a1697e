"""Delivery windows: how many publications of a subscription may be in flight to the page's callback."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from wslink.session.bursts import keep_shortest

FIRST_WINDOW = 4
MAX_WINDOW = 256
NO_WINDOW = 1 << 62
GROW_BELOW, SHRINK_ABOVE = 0.5, 1.0
"""Publications that are queued along the way. The window grows below the first number, and shrinks above the second.
These are the thresholds of TCP Vegas (Brakmo and Peterson 1995), lowered because publications are large."""
MEMORY = 30.0
"""Seconds for which the shortest time from sending to settling counts."""


class Settled(msgspec.Struct, frozen=True):
    """A publication that the page has handled.

    Attributes:
        size: its bytes.
        age: seconds from its publication to the arrival of the acknowledgement.
        rtt: the part of these since it began to be sent.
        label: what was passed to `sent`.
    """

    size: int
    age: float
    rtt: float
    label: object


class _Sent(msgspec.Struct, frozen=True):
    time: float
    published: float
    size: int
    full: bool
    label: object


class DeliveryWindow:
    """The publications of a subscription that were sent and are not yet settled, and the limit on their number.

    It reads no clock: callers pass the time, in seconds of one monotonic clock.

    Args:
        fixed: the size that the subscriber asked for, in publications; None for one that adapts to the line and the
            page.
        max_rate: publications per second that the subscriber asked for; None for no limit.

    Attributes:
        size: publications that may be unsettled.
        count: publications that were sent.
        settled: publications that were settled.
        dropped: publications that a newer one replaced.
        quality: the quality to render at, unless the publisher chooses it; set by the observer of `Settled`.
        interval: minimum seconds between the starts of two publications; 0 for none.
        resting: whether the window is closed for that time. Whoever calls `sent` resets it.
        on_open: called when one more may be sent than before.
    """

    __slots__ = (
        "_fixed",
        "_next_change",
        "_rtts",
        "_sent",
        "_starting",
        "count",
        "dropped",
        "interval",
        "on_open",
        "quality",
        "resting",
        "settled",
        "size",
    )

    def __init__(self, fixed: int | None = None, max_rate: float | None = None) -> None:
        self.interval: float = 1 / max_rate if max_rate else 0.0
        self.resting: bool = False
        self.on_open: Callable[[], None] | None = None
        self.dropped: int = 0
        self.quality: float = 1.0
        self._fixed = fixed is not None
        self.size: int = FIRST_WINDOW if fixed is None else fixed
        self.count: int = 0
        self.settled: int = 0
        self._sent: deque[_Sent] = deque()
        self._rtts: deque[tuple[float, float]] = deque()
        self._starting = True
        self._next_change = 0

    @property
    def open(self) -> bool:
        """Whether one more may be sent."""
        return len(self._sent) < self.size and not self.resting

    @property
    def room(self) -> int:
        """How many more may be sent before any is settled."""
        return self.size - len(self._sent)

    def opened(self) -> None:
        """Call `on_open` if the window is open now."""
        if self.on_open is not None and self.open:
            self.on_open()

    def end(self) -> None:
        """The subscription has ended: nothing has to wait for the window any more."""
        self.on_open = None
        self.size = NO_WINDOW
        self.resting = False
        self.interval = 0.0

    @property
    def next_size(self) -> int:
        """Bytes of the publication that will be settled next; 0 if there is none."""
        return self._sent[0].size if self._sent else 0

    def sent(self, now: float, published: float, size: int, label: object = None) -> None:
        """A publication of `size` bytes that was published at `published` begins to be sent."""
        self.count += 1
        self.resting = self.interval > 0
        self._sent.append(_Sent(now, published, size, len(self._sent) + 1 >= self.size, label))

    def settle(self, now: float, count: int, floor: float = 0.0) -> Settled | None:
        """The page has settled `count` publications so far.

        Args:
            floor: the time that a publication of this size takes without queueing: on the line, for its
                acknowledgement, and in the page's callback; 0 if unknown.

        Returns:
            The newest settled publication; None if `count` is not new, or more than was sent.
        """
        if not self.settled < count <= self.count:
            return None
        for _ in range(count - self.settled):
            newest = self._sent.popleft()
        self.settled = count
        rtt = max(now - newest.time, 1e-6)
        keep_shortest(self._rtts, now, rtt, MEMORY)
        if not self._fixed and count >= self._next_change:
            self._resize(rtt, max(floor, 1e-6) if floor else self._rtts[0][1], newest.full)
        self.opened()
        return Settled(newest.size, now - newest.published, rtt, newest.label)

    def pack_up(self) -> list[float]:
        """Return the state that another worker needs to continue; see `restore`."""
        return [self.count, self.settled, self.size, self.dropped, *(sent.size for sent in self._sent)]

    def restore(self, now: float, packed: Sequence[float]) -> None:
        """Continue from what `pack_up` returned. What is in flight counts as sent `now`."""
        self.count, self.settled, self.size, self.dropped, *sizes = map(int, packed)
        self._sent.extend(_Sent(now, now, size, False, None) for size in sizes)

    def _resize(self, rtt: float, floor: float, full: bool) -> None:
        """Grow while the window is used up and nothing is queued along the way; shrink while something is. At most once
        a round trip, since what was sent before a change says nothing about it."""
        waiting = self.size * max(1 - floor / rtt, 0.0)
        before = self.size
        if waiting > SHRINK_ABOVE:
            self._starting = False
            self.size = max(min(self.size - 1, math.ceil(self.size * floor / rtt) + 1), 1)
        elif waiting < GROW_BELOW and full:
            self.size = min(self.size * 2 if self._starting else self.size + 1, MAX_WINDOW)
        if self.size != before:
            self._next_change = self.count + 1
