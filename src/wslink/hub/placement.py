"""Where a server's work runs: on the event loop that serves clients, in threads, or on the application's thread."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from wslink.hub.filter_index import filter_size
from wslink.hub.topics import Handler, Subscription
from wslink.hub.work import ArgumentT, Work
from wslink.rpc.call import Executor
from wslink.rpc.dispatcher import Service
from wslink.session.view import SessionView

if TYPE_CHECKING:
    from wslink.hub.application import ApplicationThread

T = TypeVar("T")


class Placement:
    """The event loop of a hub, and the threads beside it.

    Attributes:
        work: tasks on the event loop, and the thread pool.
        executors: see rpc.dispatcher.Service.
        application: the application's own thread, if it is not the event loop's; see `attach`.
    """

    lock: threading.RLock
    service: Service

    def __init__(self) -> None:
        self.work: Work = Work()
        self.executors: dict[str, Executor] = {"thread": self.work.in_thread}
        self.application: ApplicationThread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def bind(self) -> None:
        """Use the running event loop and its thread from now on."""
        with self.lock:  # other threads deliver nothing in the meantime
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()
        if self.service.debug:
            self.work.watch(self._loop, self._thread)

    @property
    def is_bound(self) -> bool:
        """Whether the running event loop is the hub's."""
        return self._loop is asyncio.get_running_loop()

    @property
    def on_its_thread(self) -> bool:
        """Whether the caller runs on the event loop's thread."""
        return threading.get_ident() == self._thread

    def is_application_behind(self) -> bool:
        """Whether the mailbox of the application's own thread is full (LIM-10)."""
        return self.application is not None and self.application.behind >= self.service.limits.max_mailbox

    def attach(self, application: ApplicationThread) -> None:
        """Run what belongs to the application on its own thread: methods without another `run`, handlers, on-demand
        rendering, and authentication."""
        self.application = application
        self.executors["main"] = application.run

    def detach(self) -> None:
        """Run it on the event loop's thread again. The hub has stopped, and is not bound to an event loop."""
        self.application = None
        self.executors.pop("main", None)
        self._loop, self._thread = None, 0

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self.work.spawn(coroutine)

    def on_loop(self, function: Callable[[], None]) -> None:
        """Call `function` on the event loop's thread: at once if the caller is on it, or if the application has no
        other thread."""
        application = self.application
        if application is None or self.on_its_thread:
            function()
        else:
            application.send(function)

    def to_loop(self, function: Callable[[], None]) -> None:
        """Call `function` on the event loop's thread: at once if the caller is on it, or if there is no event loop."""
        if self.on_its_thread or not self._post(function):
            function()

    def _post(self, function: Callable[[], None]) -> bool:
        """Schedule `function` on the event loop. Returns False if there is none, or it has ended."""
        loop = self._loop
        if loop is None:
            return False
        try:
            loop.call_soon_threadsafe(function, context=contextvars.Context())
        except RuntimeError:
            return False
        return True

    async def on_loop_await(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine` on the event loop, from there or from the application's event loop."""
        loop = self._loop
        if self.application is None or loop is None or self.on_its_thread:
            return await coroutine
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))

    def in_application(self, function: Callable[[], None]) -> None:
        """Call `function` on the application's thread: at once, unless the application has its own thread and this is
        another one."""
        application = self.application
        if application is None or application.is_current:
            function()
        else:
            application.post(function)

    def perform(self, function: Callable[[], Any]) -> Any:
        """Call a function of the application, and return its result, or an awaitable of it."""
        application = self.application
        return function() if application is None else application.run(function)

    def submit(self, deliver: Callable[[], None]) -> None:
        ordering, application = self.service.ordering, self.application
        if self.on_its_thread:
            ordering.submit(deliver)
        elif application is not None:
            application.submit(deliver)
        elif not self._post(partial(ordering.submit, deliver)):
            self._deliver_to_nobody(deliver)

    def _deliver_to_nobody(self, deliver: Callable[[], None]) -> None:
        """Deliver while there is no event loop, so no client can connect. If the loop ended before its sessions,
        nothing can be sent to them."""
        with self.lock:
            if self._loop is None or self._loop.is_closed():
                with contextlib.nullcontext() if self._loop is None else contextlib.suppress(RuntimeError):
                    deliver()
                return
        self.submit(deliver)

    def handle(self, handler: Callable[[ArgumentT], Awaitable[None] | None], argument: ArgumentT) -> None:
        application = self.application
        (self.work if application is None else application).handle(handler, argument)

    def announce(self, handler: Handler, subscription: Subscription) -> None:
        application = self.application
        if application is None:
            self.work.handle(handler, subscription)
        else:
            weight = 1 + (filter_size(subscription.definition.unpack()) >> 10)
            application.handle_for(subscription.session, weight, handler, subscription)

    def unannounced(self, session: SessionView) -> int:
        application = self.application
        return 0 if application is None else application.waiting(session)
