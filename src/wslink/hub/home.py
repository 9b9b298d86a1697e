"""The event loop's thread of a server."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable


class Home:
    """Knows the event loop that a server runs on, and its thread."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def settle(self) -> None:
        """Bind to the running event loop and its thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    @property
    def on_its_thread(self) -> bool:
        """Whether the caller runs on the event loop's thread."""
        return threading.get_ident() == self._thread

    def on_loop(self, function: Callable[[], None]) -> None:
        """Run `function` on the event loop's thread: at once where that is the caller's, or where there is none yet."""
        if self.on_its_thread or self._loop is None:
            function()
        else:
            self._loop.call_soon_threadsafe(function, context=contextvars.Context())
