"""Acknowledgements of received data, and their timing (FLOW-1 to FLOW-3, RES-3, RES-5)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic

import msgspec

from wslink.session.numbering import Received
from wslink.wire.extensions import ACKNOWLEDGEMENT, pack_extension
from wslink.wire.frames import Message


class Due(msgspec.Struct, frozen=True):
    """When an acknowledgement is due.

    Attributes:
        size: unacknowledged bytes at which one is sent at once.
        every: seconds since the previous one, after which one is sent at once.
        within: seconds after which one is sent at the latest.
    """

    size: int
    every: float
    within: float


ACKNOWLEDGE_EVERY = 0.004
"""Seconds."""
OFTEN = Due(64 * 1024, ACKNOWLEDGE_EVERY, 0.025)
"""For a peer that measures the line by acknowledgements (FLOW-3)."""
SELDOM = Due(1024 * 1024, math.inf, 1.0)
"""For a peer that only keeps messages until they are acknowledged (RES-5)."""


class Acknowledgements:
    """Acknowledges the data received on a connection.

    Args:
        send: sends a message immediately, and returns whether it did. If not, the next acknowledgement is enough, since
            they are cumulative.
        due: see Due.
        numbers: the numbers of the received messages, with `resume`.

    Attributes:
        received: bytes of the received frames that count.
    """

    __slots__ = (
        "_acknowledged", "_acknowledged_at", "_due", "_numbers", "_owed", "_received_at", "_send", "_timer", "received",
    )  # fmt: skip

    def __init__(self, send: Callable[[Message], bool], due: Due = OFTEN, numbers: Received | None = None) -> None:
        self.received: int = 0
        self._send = send
        self._due = due
        self._numbers = numbers
        self._acknowledged = 0
        self._acknowledged_at = self._received_at = 0.0
        self._owed = False
        self._timer: asyncio.TimerHandle | None = None

    def count(self, size: int, number: int = 0) -> bool:
        """Count a received frame of `size` bytes. `number` is that of the message that it completes, or 0.

        Returns:
            Whether the message is new.

        Raises:
            ParseError: the number is too far ahead (RES-3).
        """
        numbers, new = self._numbers, True
        try:
            if number and numbers is not None:
                if number == numbers.last + 1:  # the usual case
                    numbers.last = number
                else:
                    new = numbers.take(number)
        finally:
            self.received += size
            now = self._received_at = monotonic()
            due = self._due
            if self.received - self._acknowledged >= due.size or now - self._acknowledged_at >= due.every:
                self._acknowledge(now)
            elif self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(due.within, self._late)
        return new

    def send(self, asks: bool = False) -> None:
        """Acknowledge at once what has arrived. With `asks`, ask the peer to do the same (RES-11)."""
        self._acknowledge(monotonic(), (True,) if asks else ())

    def restart(self) -> None:
        """Start again from zero, for a new connection."""
        self.stop()
        self.received = self._acknowledged = 0
        self._owed = False

    def _late(self) -> None:
        self._timer = None
        if self.received > self._acknowledged or self._owed:
            self._acknowledge(monotonic())

    def _acknowledge(self, now: float, more: tuple[bool, ...] = ()) -> None:
        held = int((now - self._received_at) * 1000)
        numbers = self._numbers
        known: tuple[object, ...] = ()
        if numbers is not None:
            known = (numbers.last, [], *more) if not numbers.missing else (*numbers.report(), *more)
        self._owed = not self._send(pack_extension((ACKNOWLEDGEMENT, self.received, held, *known)))
        if not self._owed:
            self._acknowledged = self.received
            self._acknowledged_at = now
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._due.within, self._late)

    def stop(self) -> None:
        """Stop the timer: the connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
