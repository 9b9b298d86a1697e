"""Functions that other threads post to an event loop, which calls them in order."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
from collections.abc import Callable
from time import monotonic

from wslink.errors import RAISED

logger: logging.Logger = logging.getLogger("wslink")

Letter = Callable[[], None]


class Mailbox:
    """Functions that wait for an event loop. Posting several at once wakes it up once.

    Args:
        loop: the event loop.
        context: the context in which they are called.
        budget: seconds after which the loop's other callbacks have a turn; None for no limit.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, context: contextvars.Context, budget: float | None = None
    ) -> None:
        self._loop = loop
        self._context = context
        self._budget = budget
        self._lock = threading.RLock()
        self._waiting: dict[object, Letter] = {}
        self._taken: dict[object, Letter] = {}
        """Functions that are being called. The loop is already awake for the rest of them."""

    def __len__(self) -> int:
        return len(self._waiting) + len(self._taken)

    def post(self, letter: Letter, key: object = None) -> None:
        """Call `letter` on the event loop. Does nothing if the loop has ended. May be called from any thread.

        Args:
            key: for `withdraw`.
        """
        with self._lock:
            first = not self._waiting
            self._waiting[object() if key is None else key] = letter
        if first:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._deliver, context=self._context)

    def withdraw(self, key: object) -> bool:
        """Do not call what was posted with `key`. Returns whether it had not begun. May be called from any thread."""
        with self._lock:
            return self._waiting.pop(key, None) is not None or self._taken.pop(key, None) is not None

    def _deliver(self) -> None:
        if self._taken:  # other callbacks have had a turn
            self._call()
            return
        with self._lock:
            self._taken, self._waiting = self._waiting, {}
        self._call()

    def _call(self) -> None:
        began = monotonic()
        while (letter := self._next()) is not None:
            try:
                letter()
            except RAISED:
                logger.exception("%r raised", letter)
            if self._budget is not None and self._taken and monotonic() - began > self._budget:
                self._loop.call_soon(self._deliver, context=self._context)
                return

    def _next(self) -> Letter | None:
        with self._lock:
            for key in self._taken:
                return self._taken.pop(key)
        return None
