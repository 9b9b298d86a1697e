"""The newest values of a topic, for later subscribers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from wslink.hub.audience import Member
from wslink.hub.cluster import UNVERSIONED, Version
from wslink.hub.filters import Tag
from wslink.wire.codec import V2_WITH_ARRAYS, Encoder


class RetainedValue:
    """A payload that was encoded when it was published, for any kind of client.

    Args:
        tags: the publication's tags.
        packed: the encoded payload by encoder, including V2_WITH_ARRAYS.
        version: how new it is, if several workers publish.
        key: the key that the publisher passed.
    """

    __slots__ = ("_packed", "key", "tags", "version")

    def __init__(
        self,
        tags: Mapping[str, Tag],
        packed: dict[Encoder, Any],
        version: Version = UNVERSIONED,
        key: Hashable = None,
    ) -> None:
        self.tags: Mapping[str, Tag] = tags
        self.version: Version = version
        self.key: Hashable = key
        self._packed = packed

    def packed(self, encoder: Encoder) -> Any:
        """The payload as `encoder` encodes it. Raises NotSerializable."""
        found = self._packed.get(encoder)
        if found is None:
            payload = V2_WITH_ARRAYS.unpack(self._packed[V2_WITH_ARRAYS])
            found = self._packed[encoder] = encoder.pack(payload)
        return found


class Retained:
    """The newest value of each key of one topic. Thread-safe.

    Args:
        limit: how many keys may be kept (LIM-17, `max_retained`). Those that were published longest ago are dropped
            first.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._values: dict[Hashable, RetainedValue] = {}
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._values)

    def values(self) -> list[RetainedValue]:
        """A snapshot, oldest first."""
        with self._lock:
            return list(self._values.values())

    def keep(self, key: Hashable, value: RetainedValue) -> None:
        """Keep `value` in place of the one with that key, unless that is newer."""
        with self._lock:
            older = self._values.get(key)
            if older is not None and older.version > value.version:
                return
            self._values.pop(key, None)
            self._values[key] = value
            while len(self._values) > self._limit():
                del self._values[next(iter(self._values))]

    def new_to(self, member: Member, before: Member | None) -> list[tuple[Hashable, RetainedValue]]:
        """The values for a new subscription, oldest first: those that match its filter, but not that of the
        subscription `before` that it replaces."""
        with self._lock:
            values = list(self._values.items())
        return [
            (key, value)
            for key, value in values
            if member.matches(value.tags) and not (before is not None and before.matches(value.tags))
        ]
