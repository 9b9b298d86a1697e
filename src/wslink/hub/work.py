"""Tasks and threads of one server."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from wslink.rpc.call import current_call

logger = logging.getLogger("wslink")

ArgumentT = TypeVar("ArgumentT")


class Work:
    """What a server runs beside the event loop's own: tasks, handlers of the application, and a pool of threads."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._pool: ThreadPoolExecutor | None = None

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task that ends with the server at the latest."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def in_thread(self, function: Callable[[], Any]) -> Awaitable[Any]:
        """Run a function in the pool of threads."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(thread_name_prefix="wslink")
        return asyncio.get_running_loop().run_in_executor(self._pool, function)

    def handle(self, handler: Callable[[ArgumentT], Awaitable[None] | None], argument: ArgumentT) -> None:
        """Run an application's handler, sync or async. What it raises is logged and not propagated."""
        token = current_call.set(None)
        try:
            outcome = handler(argument)
            if outcome is not None and inspect.isawaitable(outcome):
                self.spawn(self._await(outcome, handler))
        except Exception:
            logger.exception("%r raised", handler)
        finally:
            current_call.reset(token)

    async def _await(self, outcome: Awaitable[None], handler: object) -> None:
        try:
            await outcome
        except Exception:
            logger.exception("%r raised", handler)

    async def stop(self, grace: float) -> None:
        """Give what is running `grace` seconds, then cancel it."""
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None
