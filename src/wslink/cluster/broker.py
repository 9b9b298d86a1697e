"""The interface of brokers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

MAX_RECORDS = 20_000
MAX_BYTES = 256 * 1024 * 1024
"""Records, and their bytes, that a broker keeps for workers that are behind."""
WAIT = 1.0
"""Seconds that `Broker.read` waits for a record."""


class Broker(Protocol):
    """A log to which all workers append, and which each reads from its own start on. All read the same order.

    Its methods may raise; the operation is then retried. A repeated `append` has the same records, which may arrive
    twice.
    """

    @property
    def name(self) -> str:
        """The name for log messages, without secrets."""

    async def open(self) -> None:
        """Connect. What is appended from now on will be read."""

    async def append(self, records: Sequence[bytes]) -> None:
        """Return when the broker has all of the records."""

    async def read(self) -> Sequence[bytes]:
        """The next records; none if none arrive within `WAIT` seconds."""

    async def close(self) -> None:
        """Release all resources. Never raises; safe to call more than once."""
