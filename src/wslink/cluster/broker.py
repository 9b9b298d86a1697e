"""The port to brokers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

MAX_RECORDS = 20_000
MAX_BYTES = 256 * 1024 * 1024
"""Records, and their bytes, that a broker keeps for workers that are behind."""
WAIT = 1.0
"""Seconds that `Broker.read` waits for a record."""


class Broker(Protocol):
    """A log that every worker appends to, and reads from its own beginning on, all in one order.

    Whatever it does may raise, and is tried again then: `append` with the same records, which may arrive twice so.
    """

    @property
    def name(self) -> str:
        """What log messages call it, without secrets."""

    async def open(self) -> None:
        """Connect. What is appended from now on will be read."""

    async def append(self, records: Sequence[bytes]) -> None:
        """Return once the broker has all of them."""

    async def read(self) -> Sequence[bytes]:
        """The next records; none where there are none for `WAIT` seconds."""

    async def close(self) -> None:
        """Give up what it holds. Never raises; safe to call more than once."""
