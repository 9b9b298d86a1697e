"""The life of a server: how it ends, by itself or by others, and that it ends once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from wslink.console import say
from wslink.errors import UsageError
from wslink.hub.application import ApplicationThread
from wslink.hub.hub import Hub
from wslink.hub.io_thread import IoThread
from wslink.hub.signals import Signals

logger: logging.Logger = logging.getLogger("wslink")

T = TypeVar("T")


def announce(ready_message: str) -> None:
    """Tell on stdout that the port accepts: a launcher looks for this line. Nothing if it is empty."""
    if ready_message:
        say(ready_message)


class Life:
    """Ends a server after some time without clients, at a signal, or on request.

    It lives on the event loop that serves clients: the running one, or where the application has a thread of its own
    that of an IoThread, which it ends. It may be called from either.

    Args:
        stop: the server's `stop`, which in turn calls `end`.
        timeout: seconds without a client after which the server stops; 0 never. A client counts once it has
            authenticated.

    Attributes:
        thread: the thread that serves clients, where it is not the application's.
    """

    def __init__(self, stop: Callable[[], Coroutine[Any, Any, None]], timeout: float) -> None:
        self.timeout = timeout
        self._stop = stop
        self._hubs: tuple[Hub, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._signals = Signals()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._has_begun_to_end = False  # before there is that task, where tasks are eager
        self._ended = asyncio.Event()
        self.thread: IoThread | None = None
        self._attached: tuple[Hub, ...] = ()
        self._applications: tuple[ApplicationThread, ...] = ()

    def serve_in_thread(
        self, make_loop: Callable[[], asyncio.AbstractEventLoop], hubs: Iterable[Hub], stop_timeout: float
    ) -> None:
        """Let a thread with an event loop of its own serve the clients of `hubs`, from now on; what belongs to the
        application runs on the running event loop. See IoThread.

        Raises:
            UsageError: if one serves them already, or there is no such event loop.
        """
        hubs = tuple(hubs)
        if any(hub.application is not None for hub in hubs):
            raise UsageError("what has a thread of its own for its clients has one server at a time")
        self.thread = IoThread(make_loop, stop_timeout)
        self._attached = tuple(hubs)
        self._applications = tuple(ApplicationThread(self.thread.loop, hub.service.ordering) for hub in self._attached)
        for hub, application in zip(self._attached, self._applications, strict=True):
            hub.attach(application)

    async def leave_thread(self) -> None:
        """End the thread, if there is one, and with it what it runs. From the application's event loop."""
        thread = self.thread
        if thread is None:
            return
        if not self._elsewhere(self._detach):
            self._detach()
        await self.wait_ended()
        self.thread = None

    def _detach(self) -> None:
        """The application's thread serves clients again, if any."""
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
        """Whether the event loop that serves clients is on another thread than the caller, and calls `function` for
        it."""
        thread = self.thread
        if thread is None or thread.is_current:
            return False
        with contextlib.suppress(RuntimeError):  # it has ended
            thread.loop.call_soon_threadsafe(function)
        return True

    def handle_signals(self) -> None:
        """Stop at SIGINT and SIGTERM. From inside the running event loop; before the port accepts, so that a signal at
        any time stops the server in order."""
        self._signals.handle(self.stop_soon, early=self.thread.loop if self.thread is not None else None)

    def release_signals(self) -> None:
        """Give SIGINT and SIGTERM back. Safe to call more than once."""
        self._signals.restore()

    def begin(self, hubs: Iterable[Hub]) -> None:
        """Watch the clients of `hubs`. From inside the event loop that serves them."""
        self._hubs = tuple(hubs)
        for hub in self._hubs:
            hub.on_change.append(self._clients_changed)
        self._clients_changed()

    @property
    def ending(self) -> bool:
        """Whether it has begun to end."""
        return self._has_begun_to_end

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def await_client(self) -> None:
        """Stop after `timeout`, unless a client comes."""
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
        """Run `shut_down`, the first time; later calls wait for it. Cancelling a caller does not interrupt it."""
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
        """Wait until it has ended, and with it what ran for clients."""
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
