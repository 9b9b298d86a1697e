"""A thread with an event loop of its own, which serves clients while the application's thread is busy."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from wslink.hub.pool import DaemonPool, default_threads
from wslink.hub.work import finish

T = TypeVar("T")

GRACE = 0.5
"""Seconds that what another thread waits for has at the end to end by itself."""


class IoThread:
    """Runs an event loop in a thread, from its making until `end`. It does not keep the process.

    Args:
        make_loop: makes the event loop.
        stop_timeout: seconds that what is left has at the end; see work.finish.

    Attributes:
        loop: the event loop.
    """

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop], stop_timeout: float) -> None:
        self.loop: asyncio.AbstractEventLoop = make_loop()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # whoever waits for it may give up, and others go on
        self._stop_timeout = stop_timeout
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run,), name="wslink_io", daemon=True
        )
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in it."""
        return threading.current_thread() is self._thread

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine there, from another event loop. Cancelling this cancels it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    async def wait_ended(self) -> None:
        """Wait in another event loop until it has ended."""
        await asyncio.wrap_future(self._ended)
        self._thread.join()

    def end(self) -> None:
        """End it, once what runs has come to its next turn. Safe to call from any thread, once."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_default_executor(DaemonPool(default_threads()))
        try:
            self.loop.run_forever()
            finish(self.loop, self._stop_timeout, GRACE)
        finally:
            self._ended.set_result(None)
