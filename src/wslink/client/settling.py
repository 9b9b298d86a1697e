"""What subscribers have dealt with, as the server is told (FLOW-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from wslink.session.acknowledgements import ACKNOWLEDGE_EVERY
from wslink.wire.extensions import SETTLED, pack_extension
from wslink.wire.frames import Message


class Settling:
    """Tells the server of publications that were dealt with, and not more often than arrival is acknowledged (FLOW-3).

    Args:
        send: sends a message at once.
    """

    def __init__(self, send: Callable[[Message], object]) -> None:
        self._send = send
        self._unsaid: dict[int, tuple[int, float]] = {}
        self._said_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def settle(self, subscription: int, count: int, duration: float) -> None:
        """`count` publications of a subscription have been dealt with so far, the last in `duration` seconds."""
        self._unsaid[subscription] = count, duration
        if monotonic() - self._said_at >= ACKNOWLEDGE_EVERY:
            self._say()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ACKNOWLEDGE_EVERY, self._say)

    def _say(self) -> None:
        self.stop()
        self._said_at = monotonic()
        for subscription, (count, duration) in self._unsaid.items():
            self._send(pack_extension((SETTLED, subscription, count, int(duration * 1000))))
        self._unsaid.clear()

    def stop(self) -> None:
        """Say nothing more of what was settled until now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
