"""Histograms that are cheap to update."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds for durations; those of OpenTelemetry's RPC conventions, and finer ones below."""
BYTES = tuple(float(4**power) for power in range(3, 16))
"""Upper bounds for sizes: 64 bytes to 1 GiB."""


class Histogram:
    """Counts of values by upper bounds, and their sum.

    Concurrent updates from several threads may occasionally be lost: a lock would cost more than everything else.

    Attributes:
        counts: the number of values up to each bound, and above the last.
        total: the sum of the values.
    """

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self._bounds = bounds
        self.counts: list[int] = [0] * (len(bounds) + 1)
        self.total: float = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def add(self, count: int, total: float) -> None:
        """Add this many values within the first bound, with the sum `total`."""
        self.counts[0] += count
        self.total += total

    def copy(self) -> Histogram:
        """A snapshot."""
        made = Histogram(self._bounds)
        made.counts, made.total = self.counts.copy(), self.total
        return made

    @property
    def count(self) -> int:
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[str, float]]:
        """Upper bounds in Prometheus's format, with the number of values up to each."""
        seen = 0
        for bound, count in zip((*self._bounds, float("inf")), self.counts, strict=True):
            seen += count
            yield ("+Inf" if bound == float("inf") else repr(bound)), float(seen)
