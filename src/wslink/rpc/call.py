"""Call: the call that a method is serving."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

Executor = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function elsewhere than on the event loop's thread, in the context of its caller. The function may return
something that is awaitable on the application's thread (`run="main"`), which is then awaited there."""


class Caller(Protocol):
    """The client that made a call.

    Attributes:
        id: the client's id, the same as `link.clientId` in JavaScript.
        user: the user name that the application's authentication returned, or "".
        attributes: the attributes that the application's authentication returned.
        address: the peer's address, or "" if unknown.
    """

    @property
    def id(self) -> str: ...
    @property
    def user(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, Any]: ...
    @property
    def address(self) -> str: ...
    def disconnect(self, reason: str = "") -> None: ...
    async def call(
        self,
        method: str,
        /,
        *args: Any,
        timeout: float | None = None,
        on_progress: Callable[[Any], object] | None = None,
        **kwargs: Any,
    ) -> Any: ...


class Call(msgspec.Struct, eq=False):
    """The call that a method is serving. A parameter annotated with this class receives it.

    Attributes:
        client: the calling client.
        method: the method's name.
        app: the App (or the server protocol) that the client is connected to.
        id: the id of the request.
        answered: whether the response has been sent.
        cancelled: whether the client has cancelled the call, or has gone. An async method gets CancelledError; one that
            runs in a thread should check this now and then, or call `raise_if_cancelled`.
        lengths: the lengths of the symbols in its arrays' shapes (see Array); {} without symbols.
        streams: carries the items of its streams; not for methods.
        report: sends progress; None if the client has not asked for it.
        arrived: the time of arrival (monotonic) of a call that did not start at once, or 0.
    """

    client: Caller
    method: str
    app: Any
    id: str
    answered: bool = False
    cancelled: bool = False
    lengths: Mapping[str, int] = {}
    streams: Any = None
    report: Callable[[Any], None] | None = None
    arrived: float = 0.0

    @property
    def client_id(self) -> str:
        """The calling client's id, the same as `link.clientId` in JavaScript; `publish(to=...)` accepts it."""
        return self.client.id

    def raise_if_cancelled(self) -> None:
        """Raise asyncio.CancelledError, which `except Exception` does not catch, if the call is cancelled."""
        if self.cancelled:
            raise asyncio.CancelledError

    def progress(self, value: Any) -> None:
        """Report progress to a client that asked for it (`onProgress`, `on_progress`). May be called from any thread.
        Values arrive in order and before the response; of several that wait, only the newest is sent (PRG-1).

        Args:
            value: anything that can be a result. It is encoded before this returns.

        Raises:
            NotSerializable: the value cannot be encoded.
        """
        if self.report is not None and not (self.answered or self.cancelled):
            self.report(value)

    def __repr__(self) -> str:
        return f"<Call {self.id} of {self.method}>"


current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("wslink_current_call", default=None)
"""The call whose method is running in this context, or None."""
