"""The life cycle of a server: idle timeout, signals, and shutting down exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from wslink.console import say
from wslink.errors import UsageError
from wslink.hub.hub import Hub
from wslink.hub.signals import Signals

if TYPE_CHECKING:
    from wslink.hub.application import ApplicationThread
    from wslink.hub.io_thread import IoThread

logger: logging.Logger = logging.getLogger("wslink")

T = TypeVar("T")


def announce(ready_message: str) -> None:
    """Print the line that says that the server accepts connections: launchers look for it. Does nothing if it is
    empty."""
    if ready_message:
        say(ready_message)


class Life:
    """Ends a server after a time without clients, at a signal, or on request.

    It belongs to the event loop that serves clients: the running one, or that of an IoThread, which it ends, if the
    application has its own thread. It may be called from either.

    Args:
        stop: the server's `stop`, which in turn calls `end`.
        timeout: seconds without a client after which the server stops; 0 for never. A client counts once it has
            authenticated.

    Attributes:
        thread: the thread that serves clients, if it is not the application's.
    """

    def __init__(self, stop: Callable[[], Coroutine[Any, Any, None]], timeout: float) -> None:
        self.timeout = timeout
        self._stop = stop
        self._hubs: tuple[Hub, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._signals = Signals()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._has_begun_to_end = False  # set before that task exists, since tasks may be eager
        self._ended = asyncio.Event()
        self.thread: IoThread | None = None
        self._attached: tuple[Hub, ...] = ()
        self._applications: tuple[ApplicationThread, ...] = ()

    def serve_in_thread(
        self, make_loop: Callable[[], asyncio.AbstractEventLoop], hubs: Iterable[Hub], stop_timeout: float
    ) -> None:
        """Let a new thread with its own event loop serve the clients of `hubs`. What belongs to the application runs on
        the running event loop. See IoThread.

        Raises:
            UsageError: a thread serves them already, or there is no such event loop.
        """
        from wslink.hub.application import ApplicationThread
        from wslink.hub.io_thread import IoThread

        hubs = tuple(hubs)
        if any(hub.application is not None for hub in hubs):
            raise UsageError("what has a thread of its own for its clients has one server at a time")
        self.thread = IoThread(make_loop, stop_timeout)
        self._attached = tuple(hubs)
        self._applications = tuple(ApplicationThread(self.thread.loop, hub.service.ordering) for hub in self._attached)
        for hub, application in zip(self._attached, self._applications, strict=True):
            hub.attach(application)

    async def leave_thread(self) -> None:
        """End the thread, if there is one, and what it runs. Call it on the application's event loop."""
        thread = self.thread
        if thread is None:
            return
        if not self._elsewhere(self._detach):
            self._detach()
        await self.wait_ended()
        self.thread = None

    def _detach(self) -> None:
        """Let the application's thread serve clients again."""
        attached, self._attached = self._attached, ()
        for hub in attached:
            hub.detach()
        if self.thread is not None and attached:
            self.thread.end()

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine` on the event loop that serves clients."""
        thread = self.thread
        return await (coroutine if thread is None or thread.is_current else thread.run(coroutine))

    def _elsewhere(self, function: Callable[[], object]) -> bool:
        """If the event loop that serves clients is on another thread than the caller, call `function` there and return
        True."""
        thread = self.thread
        if thread is None or thread.is_current:
            return False
        with contextlib.suppress(RuntimeError):  # it has ended
            thread.loop.call_soon_threadsafe(function)
        return True

    def handle_signals(self) -> None:
        """Stop at SIGINT and SIGTERM. Call it inside the running event loop, before the server accepts connections, so
        that a signal at any time stops it in an orderly way."""
        self._signals.handle(self.stop_soon, early=self.thread.loop if self.thread is not None else None)

    def release_signals(self) -> None:
        """Restore the handlers of SIGINT and SIGTERM. Safe to call more than once."""
        self._signals.restore()

    def begin(self, hubs: Iterable[Hub]) -> None:
        """Watch the clients of `hubs`. Call it inside the event loop that serves them."""
        self._hubs = tuple(hubs)
        for hub in self._hubs:
            hub.on_change.append(self._clients_changed)
        self._clients_changed()

    @property
    def ending(self) -> bool:
        """Whether the server has begun to stop."""
        return self._has_begun_to_end

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def await_client(self) -> None:
        """Stop after `timeout`, unless a client connects."""
        if self._elsewhere(self.await_client):
            return
        if self.timeout > 0 and self._timer is None and not self.ending:
            self._timer = asyncio.get_running_loop().call_later(self.timeout, self._idle)

    def cancel_timeout(self) -> None:
        if self._elsewhere(self.cancel_timeout):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop_soon(self) -> None:
        """Begin to stop. Safe to call more than once."""
        if not self._elsewhere(self.stop_soon) and not self.ending:
            self._spawn(self._stop())

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self, shut_down: Callable[[], Awaitable[None]]) -> None:
        """Run `shut_down` the first time; later calls wait for it. Cancelling a caller does not interrupt it."""
        if self._elsewhere(lambda: self._spawn(self.end(shut_down))):
            await self.wait_ended()
            return
        if not self._has_begun_to_end:
            self._has_begun_to_end = True
            self._ending = asyncio.get_running_loop().create_task(self._end(shut_down))
        if self._ending is not None:
            await asyncio.shield(self._ending)
        else:
            await self._ended.wait()

    async def wait_ended(self) -> None:
        """Wait until the server has ended, and everything that ran for its clients."""
        if self.thread is None or self.thread.is_current:
            await self._ended.wait()
            return
        await self.thread.wait_ended()
        for application in self._applications:
            await application.stop()

    async def _end(self, shut_down: Callable[[], Awaitable[None]]) -> None:
        self.cancel_timeout()
        self._signals.restore()
        for hub in self._hubs:
            hub.on_change.remove(self._clients_changed)
        try:
            await shut_down()
        finally:
            self._ended.set()
            self._detach()

    def _clients_changed(self) -> None:
        for hub in self._hubs:
            if hub.sessions:
                if self._timer is not None:
                    self.cancel_timeout()
                return
        self.await_client()

    def _idle(self) -> None:
        self._timer = None
        logger.info("no client for %g s: the server stops", self.timeout)
        self.stop_soon()
