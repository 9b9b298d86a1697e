"""The hub's authentication of hellos: logs refusals, and slows down guessing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import msgspec

from wslink.hosts import is_loopback
from wslink.session.identity import Authenticator, Credentials, Identity

logger: logging.Logger = logging.getLogger("wslink")

FREE_REFUSALS = 10
"""Refused secrets per address without consequences."""
SPACING = 0.1
"""Seconds between two secrets from an address beyond that number."""
LONGEST_WAIT = 2.0
"""The longest that a hello from such an address waits for its turn, in seconds."""
FORGET_AFTER = 600.0
"""Seconds without a refused secret after which an address is treated like any other again."""
MAX_WAITING = 1_000
"""Hellos that wait at once. Further ones are refused without being checked."""
MAX_ADDRESSES = 10_000
"""Addresses that are remembered. Beyond that, the least recently refused ones are forgotten."""


class _Record(msgspec.Struct):
    refused: int
    last: float
    turn: float


class Authentication:
    """Authenticates each hello with `authenticate`.

    After FREE_REFUSALS refused secrets, the hellos of an address are checked one at a time, SPACING apart. One that
    would wait for longer than LONGEST_WAIT is refused without being checked, unless the address is a loopback address,
    which all clients of a proxy on this machine share.

    Args:
        authenticate: identifies a client.
        clock: returns seconds.

    Attributes:
        authenticate: the same; it may be replaced.
    """

    def __init__(self, authenticate: Authenticator, clock: Callable[[], float] = time.monotonic) -> None:
        self.authenticate = authenticate
        self._clock = clock
        self._records: dict[str, _Record] = {}
        self._waiting = 0

    def admit(self, credentials: Credentials) -> Identity | Awaitable[Identity | None] | None:
        """Identify a client, or return None to refuse it; directly or as an awaitable."""
        if self._records and (delay := self._delay(credentials.address)):
            return self._admit_later(credentials, delay)
        verdict = self.authenticate(credentials)
        if isinstance(verdict, Identity):
            return verdict
        if verdict is None:
            return self._noted(credentials, None)
        return self._await(credentials, verdict)

    async def _admit_later(self, credentials: Credentials, delay: float) -> Identity | None:
        crowded = self._waiting >= MAX_WAITING
        if crowded or (delay > LONGEST_WAIT and not is_loopback(credentials.address)):
            logger.warning(
                "client %s from %s was refused without a look: too many secrets of this address are wrong",
                credentials.client_id, credentials.address, extra=_extra(credentials),
            )  # fmt: skip
            return None
        self._waiting += 1
        try:
            await asyncio.sleep(min(delay, LONGEST_WAIT))
        finally:
            self._waiting -= 1
        verdict = self.authenticate(credentials)
        if verdict is not None and not isinstance(verdict, Identity):
            verdict = await verdict
        return self._noted(credentials, verdict)

    async def _await(self, credentials: Credentials, verdict: Awaitable[Identity | None]) -> Identity | None:
        return self._noted(credentials, await verdict)

    def _noted(self, credentials: Credentials, identity: Identity | None) -> Identity | None:
        if identity is None:
            self._refused(credentials)
        return identity

    def _refused(self, credentials: Credentials) -> None:
        address = credentials.address
        if not credentials.has_secret:
            logger.warning(
                "client %s from %s was refused: it showed no secret",
                credentials.client_id, address or "nowhere", extra=_extra(credentials),
            )  # fmt: skip
            return
        refused = self._count(address)
        logger.warning(
            "client %s from %s was refused: its secret is wrong (%d of this address lately)",
            credentials.client_id, address or "nowhere", refused, extra=_extra(credentials),
        )  # fmt: skip

    def _count(self, address: str) -> int:
        now = self._clock()
        record = self._records.pop(address, None)
        if record is None or now - record.last > FORGET_AFTER:
            record = _Record(0, now, now)
        record.refused += 1
        record.last = now
        self._records[address] = record
        if len(self._records) > MAX_ADDRESSES:
            del self._records[next(iter(self._records))]
        return record.refused

    def _delay(self, address: str) -> float:
        """Seconds until a hello from `address` may be checked. Takes a turn if it has to wait."""
        record = self._records.get(address)
        now = self._clock()
        if record is None or record.refused < FREE_REFUSALS or now - record.last > FORGET_AFTER:
            return 0.0
        turn = max(record.turn + SPACING, now)
        if turn - now <= LONGEST_WAIT:
            record.turn = turn
        return turn - now


def _extra(credentials: Credentials) -> dict[str, str]:
    return {"client": credentials.client_id, "address": credentials.address}
