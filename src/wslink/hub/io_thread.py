"""A thread with its own event loop, which serves clients while the application's thread is busy."""

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
"""Seconds at the end for functions that other threads are waiting for."""


class IoThread:
    """Runs an event loop in a daemon thread, from construction until `end`.

    Args:
        make_loop: creates the event loop.
        stop_timeout: seconds at the end for what is still running; see work.finish.

    Attributes:
        loop: the event loop.
    """

    def __init__(self, make_loop: Callable[[], asyncio.AbstractEventLoop], stop_timeout: float) -> None:
        self.loop: asyncio.AbstractEventLoop = make_loop()
        self._ended: Future[None] = Future()
        self._ended.set_running_or_notify_cancel()  # so that one waiter cannot cancel it for the others
        self._stop_timeout = stop_timeout
        self._thread = threading.Thread(
            target=contextvars.copy_context().run, args=(self._run,), name="wslink_io", daemon=True
        )
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await a coroutine on this thread, from another event loop. Cancelling this cancels it."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    async def wait_ended(self) -> None:
        """Wait until the thread has ended, in another event loop."""
        await asyncio.wrap_future(self._ended)
        self._thread.join()

    def end(self) -> None:
        """End the thread, after the callbacks that are running now. May be called from any thread, once."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_default_executor(DaemonPool(default_threads()))
        try:
            self.loop.run_forever()
            finish(self.loop, self._stop_timeout, GRACE)
        finally:
            self._ended.set_result(None)
