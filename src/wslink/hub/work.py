"""Tasks and the thread pool of one server, and the watch over its event loop."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import logging
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wslink.errors import RAISED
from wslink.hub.pool import DaemonPool, default_threads
from wslink.hub.threads import SharedThreads
from wslink.rpc.call import current_call

if TYPE_CHECKING:
    from wslink.hub.loop_watch import LoopWatch

logger: logging.Logger = logging.getLogger("wslink")

GRACE = 1.0
"""Seconds that calls under way have to end by themselves when their server stops, before they are cancelled."""

ArgumentT = TypeVar("ArgumentT")


class Work:
    """The work of a server: tasks, handlers of the application, and a thread pool."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._pool: SharedThreads | None = None
        self._threads = 0
        self._watch: LoopWatch | None = None

    def watch(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        """Log what blocks `loop`, on that thread, until the server stops."""
        from wslink.hub.loop_watch import LoopWatch

        if self._watch is not None:
            self._watch.stop()
        self._watch = LoopWatch(loop, thread)

    def set_threads(self, threads: int) -> None:
        """Use so many threads for methods that block, once there are none yet; 0 for `default_threads`."""
        self._threads = threads

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine as a task that ends with the server at the latest."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def in_thread(self, function: Callable[[], Any]) -> Awaitable[Any]:
        """Run a function in the pool of threads, in this context."""
        if self._pool is None:
            self._pool = SharedThreads(DaemonPool, self._threads or default_threads())
        call = current_call.get()
        context = contextvars.copy_context()
        return self._pool.run(call.client_id if call is not None else None, partial(context.run, function))

    def handle(self, handler: Callable[[ArgumentT], Awaitable[None] | None], argument: ArgumentT) -> None:
        """Run an application's handler, sync or async. What it raises is logged and not propagated."""
        token = current_call.set(None)
        try:
            outcome = handler(argument)
            if outcome is not None and inspect.isawaitable(outcome):
                self.spawn(self._await(outcome, handler))
        except RAISED:
            logger.exception("%r raised", handler)
        finally:
            current_call.reset(token)

    async def _await(self, outcome: Awaitable[None], handler: object) -> None:
        try:
            await outcome
        except RAISED:
            logger.exception("%r raised", handler)

    async def stop(self, timeout: float) -> None:
        """Give what is running GRACE seconds, then cancel it. What goes on after `timeout` seconds is left alone, and
        so are functions that run in threads."""
        tasks = {task for task in self._tasks if task is not asyncio.current_task()}
        pool, self._pool = self._pool, None
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        await end_tasks(tasks, min(GRACE, timeout), timeout)
        if pool is not None:
            pool.shutdown()


abandoned: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
"""Tasks that were cancelled, went on, and are not waited for."""


async def end_tasks(tasks: set[asyncio.Task[Any]], grace: float, timeout: float) -> None:
    """Wait `grace` seconds for `tasks`, cancel those that go on, and wait until `timeout` seconds have passed."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        task.cancel()
    if late:
        _, stuck = await asyncio.wait(late, timeout=max(timeout - grace, 0.1))
        abandoned.update(stuck)
        for task in stuck:
            logger.warning("not waited for any longer, although it goes on after it was cancelled: %r", task)


def finish(loop: asyncio.AbstractEventLoop, timeout: float, grace: float = 0) -> None:
    """End an event loop that nothing runs any more, though tasks swallow their cancellation or functions go on in
    threads: after `timeout` seconds they are not waited for any longer. Tasks are cancelled after `grace` seconds."""
    try:
        loop.run_until_complete(end_tasks(asyncio.all_tasks(loop) - set(abandoned), grace, timeout))
        loop.run_until_complete(loop.shutdown_asyncgens())
        # What is left has been reported.
        loop.set_exception_handler(lambda loop, context: None)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
