"""Reports to the server of the publications that subscribers have handled (FLOW-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from wslink.session.acknowledgements import ACKNOWLEDGE_EVERY
from wslink.wire.extensions import SETTLED, pack_extension
from wslink.wire.frames import Message


class Settling:
    """Reports handled publications, not more often than received data is acknowledged (FLOW-3).

    Args:
        send: sends a message immediately.
    """

    def __init__(self, send: Callable[[Message], object]) -> None:
        self._send = send
        self._active = False
        self._counts: dict[int, tuple[int, float]] = {}
        self._unsaid: set[int] = set()
        self._said_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """A session begins in which the server wants reports."""
        self._counts.clear()
        self._unsaid.clear()
        self._active = True

    def resume(self) -> None:
        """The session continues over a new connection. Reports on the previous one may not have arrived (RES-2)."""
        self._active = True
        self._unsaid.update(self._counts)
        self._say()

    def settle(self, subscription: int, count: int, duration: float) -> None:
        """`count` publications of a subscription have been handled so far, the last one in `duration` seconds."""
        self._counts[subscription] = count, duration
        self._unsaid.add(subscription)
        if not self._active:
            return
        if monotonic() - self._said_at >= ACKNOWLEDGE_EVERY:
            self._say()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(ACKNOWLEDGE_EVERY, self._say)

    def forget(self, subscription: int) -> None:
        """A subscription has ended, and the server knows it."""
        self._counts.pop(subscription, None)
        self._unsaid.discard(subscription)

    def _say(self) -> None:
        self._stop_timer()
        self._said_at = monotonic()
        for subscription in self._unsaid:
            count, duration = self._counts[subscription]
            self._send(pack_extension((SETTLED, subscription, count, int(duration * 1000))))
        self._unsaid.clear()

    def stop(self) -> None:
        """There is no connection: send no reports for now."""
        self._active = False
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
