"""The application's own thread, if it is not the one that serves clients."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from wslink.hub.mailbox import Mailbox
from wslink.hub.work import GRACE, ArgumentT, Work
from wslink.rpc.call import Call, current_call
from wslink.rpc.ordering import ResponseFirst

TURN = 0.005
"""Seconds that clients' calls may occupy the application's event loop before its own callbacks have a turn."""


class ApplicationThread:
    """Runs the application's functions on its own event loop, for a hub that runs on another one.

    Create it on the application's thread, inside its running event loop.

    Args:
        serving: the hub's event loop.
        ordering: orders what running calls publish.
    """

    def __init__(self, serving: asyncio.AbstractEventLoop, ordering: ResponseFirst) -> None:
        self.work: Work = Work()
        self._serving = serving
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._ordering = ordering
        self._to_hub = Mailbox(serving, contextvars.Context())
        self._to_application = Mailbox(self._loop, contextvars.copy_context(), TURN)
        self._waiting: dict[object, int] = {}
        """What `handle_for` counts, by client. Only used on the hub's thread."""
        self._publishing: Call | None = None
        """The call whose current step has published."""

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.get_ident() == self._thread

    @property
    def behind(self) -> int:
        """The number of functions that are waiting (LIM-10, `max_mailbox`)."""
        return len(self._to_application)

    # From the hub's thread to the application

    def run(self, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Call `function`, and return a future of its result. Awaitable results are awaited
        (rpc.dispatcher.Executor)."""
        return ApplicationFuture(self._serving, self, function)

    def handle(self, handler: Callable[[ArgumentT], Awaitable[None] | None], argument: ArgumentT) -> None:
        """Run a handler of the application; see Work.handle."""
        self.post(partial(self.work.handle, handler, argument))

    def handle_for(
        self,
        client: object,
        weight: int,
        handler: Callable[[ArgumentT], Awaitable[None] | None],
        argument: ArgumentT,
    ) -> None:
        """Like `handle`, for events that a client can cause any number of times. Until the handler has begun, it counts
        by `weight` in `waiting`."""
        self._waiting[client] = self.waiting(client) + weight

        def begin() -> None:
            self.work.handle(handler, argument)
            self.send(partial(self._begun, client, weight))

        self.post(begin)

    def waiting(self, client: object) -> int:
        """The total weight of a client's handlers that have not begun."""
        return self._waiting.get(client, 0)

    def _begun(self, client: object, weight: int) -> None:
        left = self._waiting.pop(client) - weight
        if left:
            self._waiting[client] = left

    def post(self, function: Callable[[], None], key: object = None) -> None:
        """Call `function` on this thread, after what was posted before. May be called from any thread."""
        self._to_application.post(function, key)

    def withdraw(self, key: object) -> bool:
        """Cancel what was posted with `key`. Returns whether it had not begun."""
        return self._to_application.withdraw(key)

    # From any other thread to the hub

    def send(self, function: Callable[[], None]) -> None:
        """Call `function` on the hub's event loop, after what was sent before."""
        self._to_hub.post(function)

    def submit(self, deliver: Callable[[], None]) -> None:
        """Run `deliver` on the hub's event loop, in the order of publishing and after the response of the running call
        (ORD-2)."""
        call = current_call.get()
        if call is None or call.answered or not self.is_current:
            self.send(partial(self._ordering.submit, deliver))
            return
        self.send(partial(self._ordering.submit_of, call, deliver))
        if call is not self._publishing:
            self._publishing = call
            self._loop.call_soon(self._suspended, call)

    def _suspended(self, call: Call) -> None:
        """The step of a call that has published is over (ORD-3). Nothing to do if the call has ended, since its
        response comes first, or if another call has published since, behind which nothing is held."""
        if call is self._publishing:
            self._publishing = None
            self.send(partial(self._ordering.suspended, call))

    def concluded(self, call: Call | None) -> None:
        """A call has ended: its response is on the way."""
        if call is self._publishing:
            self._publishing = None

    async def stop(self) -> None:
        """Stop what is still running, after the hub has stopped; see Work.stop."""
        await self.work.stop(GRACE)


class ApplicationFuture(asyncio.Future[Any]):
    """A future, on the hub's event loop, of the result of a function that runs on the application's thread.

    If the function returns an awaitable, cancelling the future cancels that, and takes effect when it has ended. A
    plain function that has begun runs on; one that has not begun never runs.
    """

    def __init__(
        self, serving: asyncio.AbstractEventLoop, application: ApplicationThread, function: Callable[[], Any]
    ) -> None:
        super().__init__(loop=serving)
        self._application = application
        self._function = function
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[None] | None = None
        application.post(self._begin, self)

    def cancel(self, msg: Any = None) -> bool:
        if self.done():
            return False
        if self._application.withdraw(self) or self._task is None:
            return super().cancel(msg)
        self._application.post(self._interrupt)
        return True

    # On the application's thread

    def _begin(self) -> None:
        if self.cancelled():
            return
        try:
            outcome = self._context.run(self._function)
        except BaseException as error:
            self._send(None, error)
            return
        if not inspect.isawaitable(outcome):
            self._send(outcome, None)
            return
        self._task = self._context.run(self._application.work.spawn, self._await(outcome))
        if self.cancelled():  # meanwhile
            self._interrupt()

    async def _await(self, outcome: Awaitable[Any]) -> None:
        try:
            self._send(await outcome, None)
        except BaseException as error:
            self._send(None, error)

    def _interrupt(self) -> None:
        """Cancel the task in the next turn of the event loop, when it has begun: a task that never begins would send
        nothing."""
        if self._task is not None:
            self._task.get_loop().call_soon(self._task.cancel)

    def _send(self, value: Any, error: BaseException | None) -> None:
        self._application.concluded(self._context.get(current_call))
        self._application.send(partial(self._settle, value, error))

        # On the hub's thread

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self.done():
            return
        if isinstance(error, asyncio.CancelledError):
            super().cancel()
        elif isinstance(error, StopIteration):
            self.set_exception(RuntimeError(f"it raised {error!r}"))
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(value)
