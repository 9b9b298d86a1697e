"""Limits on guessing secrets, by IP address."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

FREE_TRIES = 10
"""Wrong secrets of one address that cost nothing."""
LONGEST_WAIT = 60.0
"""Seconds that an address has to wait after a wrong secret, at most. The wait doubles with each from 1 second on."""
FORGET_AFTER = 600.0
"""Seconds after which an address that shows no wrong secret has all of its free tries again."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered; beyond that, those that have been quiet for longest are forgotten."""


@dataclass(slots=True)
class _Record:
    wrong: int
    last: float
    until: float


class Tries:
    """Counts wrong secrets by address. While an address has to wait, its secrets are not compared at all: the result
    would be visible in the response.

    Args:
        clock: returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._records: dict[str, _Record] = {}

    def wait(self, address: str) -> float:
        """Seconds until `address` may present a secret again; 0 if it may now."""
        record = self._records.get(address)
        return max(0.0, record.until - self._clock()) if record is not None else 0.0

    def wrong(self, address: str) -> int:
        """Count a wrong secret. Returns how many there were recently from `address`."""
        now = self._clock()
        record = self._records.pop(address, None)
        if record is None or now - record.last > FORGET_AFTER:
            record = _Record(0, now, 0.0)
        record.wrong += 1
        record.last = now
        if record.wrong >= FREE_TRIES:
            record.until = now + min(2.0 ** min(record.wrong - FREE_TRIES, 32), LONGEST_WAIT)
        self._records[address] = record
        if len(self._records) > MAX_ADDRESSES:
            del self._records[next(iter(self._records))]
        return record.wrong
