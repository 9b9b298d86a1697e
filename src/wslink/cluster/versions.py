"""Versions of publications: which of two is newer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

from wslink.hub.cluster import Version

REMEMBERED = 20_000
"""Keys of which it is known how new the newest publication is."""


class Versions:
    """Creates versions, each greater than all that are known, and remembers the newest of each key. Thread-safe."""

    def __init__(self) -> None:
        self._clock = 0.0
        self._newest: OrderedDict[Hashable, Version] = OrderedDict()
        self._lock = threading.RLock()

    def next(self, worker: str, slot: Hashable) -> Version:
        """The version of a publication that a worker makes now."""
        with self._lock:
            self._clock = clock = max(time.time(), self._clock + 1e-6)
            version = clock, worker
            self._remember(slot, version)
        return version

    def is_news(self, slot: Hashable, version: Version) -> bool:
        """Whether nothing as new is known for a key. If so, it is recorded. True without a key."""
        with self._lock:
            self._clock = max(self._clock, version[0])
            return self._remember(slot, version)

    def is_newest(self, slot: Hashable, version: Version) -> bool:
        """Whether nothing newer is known for a key. True without a key."""
        with self._lock:
            return slot is None or self._newest.get(slot, version) <= version

    def _remember(self, slot: Hashable, version: Version) -> bool:
        if slot is None:
            return True
        if self._newest.get(slot, (0.0, "")) >= version:
            return False
        self._newest[slot] = version
        self._newest.move_to_end(slot)
        if len(self._newest) > REMEMBERED:
            self._newest.popitem(last=False)
        return True
