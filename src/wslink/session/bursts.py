"""Acknowledgements that arrive in bursts because the peer is busy in between."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

SampleT = TypeVar("SampleT", tuple[int, float], tuple[int, float, float])

BURST_ROUNDS = 3
"""Round trips for which a burst counts, together with `BURST_TIME`: a busy peer causes one burst after another."""
BURST_TIME = 0.3
"""Seconds for which a burst counts at least, for lines whose round trips are much shorter than the peer's pauses."""
MAX_BURST = 0.25
"""The most that bursts widen the window, in seconds of the current rate."""


class Bursts:
    """The bytes that a peer acknowledges at once, beyond the line's rate and one chunk. This is `extra_acked` of BBR
    (Cardwell et al., draft-cardwell-iccrg-bbr-congestion-control-02, 4.5.5).

    If no more was in flight than the line holds, the line would be idle while the peer is busy. The measured rate would
    drop, and with it the window, until only two chunks were sent for each burst of acknowledgements.

    Args:
        now: the current time.
    """

    __slots__ = ("_bytes", "_largest", "_start")

    def __init__(self, now: float) -> None:
        self._largest: deque[tuple[int, float, float]] = deque()  # (round, time, bytes), falling
        self._start = now
        self._bytes = 0

    def acknowledged(self, now: float, size: int, rate: float) -> float:
        """Count `size` acknowledged bytes, and return how many exceed `rate` since the burst began."""
        expected = rate * (now - self._start)
        if self._bytes <= expected:
            self._start, self._bytes, expected = now, 0, 0.0
        self._bytes += size
        return self._bytes - expected

    def keep(self, now: float, round_: int, size: float) -> None:
        """Record a burst of `size` bytes. Only for chunks that are acknowledged as a whole: a peer cannot acknowledge
        more of these than were sent, but it could acknowledge single bytes."""
        largest = self._largest
        keep_largest(largest, (round_, now, max(size, 0.0)))
        while largest[0][0] <= round_ - BURST_ROUNDS and largest[0][1] < now - BURST_TIME:
            largest.popleft()

    def bytes(self, rate: float) -> float:
        """Bytes that may be in flight beyond what the line holds."""
        return min(self._largest[0][2], rate * MAX_BURST) if self._largest else 0.0

    def lateness(self, rate: float) -> float:
        """Seconds by which a busy peer lengthens a round trip."""
        return self.bytes(rate) / rate if rate else 0.0


def keep_largest(samples: deque[SampleT], sample: SampleT) -> None:
    """Add a sample, whose value is its last item, and remove earlier ones that are not larger: the first sample is the
    largest."""
    while samples and samples[-1][-1] <= sample[-1]:
        samples.pop()
    samples.append(sample)


def keep_shortest(samples: deque[tuple[float, float]], now: float, seconds: float, memory: float) -> bool:
    """Add a time that was measured now; those before it that are no shorter go, so that the first is the shortest, and
    those from more than `memory` seconds ago: whether there were such. Of times that grow longer and longer one is kept
    in each thousandth of `memory`: the peer decides how many there are."""
    while samples and samples[-1][1] >= seconds:
        samples.pop()
    if not samples or now >= samples[-1][0] + memory / 1000:
        samples.append((now, seconds))
    old = samples[0][0] < now - memory
    while samples[0][0] < now - memory:
        samples.popleft()
    return old
