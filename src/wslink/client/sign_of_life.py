"""Dead-peer detection: after some silence, a client requests a sign of life from the server (RES-11)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

ANSWER_WITHIN = 5.0
"""Seconds that the server has for a sign of life."""
HELD_UP = 1.0
"""A timer that is so many seconds late was held up together with everything that has arrived meanwhile."""


class SignOfLife:
    """Watches successive connections.

    Args:
        ask: requests a sign of life from the server.
        lost: called if there is none: the connection is to be aborted.

    Attributes:
        heard_at: when something last arrived (`time.monotonic`).
    """

    __slots__ = ("_ask", "_lost", "_silence", "_timer", "heard_at")

    def __init__(self, ask: Callable[[], None], lost: Callable[[], None]) -> None:
        self.heard_at: float = 0.0
        self._ask = ask
        self._lost = lost
        self._silence = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, silence: float) -> None:
        """A connection begins. A sign of life is requested after this many seconds of silence; 0 for never."""
        self.stop()
        self._silence = silence
        if silence > 0:
            self.heard_at = monotonic()
            self._look_in(silence)

    def stop(self) -> None:
        """The connection has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        now = monotonic()
        left = self.heard_at + self._silence - now
        if left > 0:
            self._look_in(left)
        else:
            self._ask()
            self._expect(now, ANSWER_WITHIN)

    def _expect(self, asked_at: float, within: float) -> None:
        due = monotonic() + within
        self._timer = asyncio.get_running_loop().call_later(within, self._judge, asked_at, due)

    def _judge(self, asked_at: float, due: float) -> None:
        if self.heard_at >= asked_at:
            self._look()
        elif monotonic() > due + HELD_UP:
            self._expect(asked_at, HELD_UP)
        else:
            self.stop()
            self._lost()
