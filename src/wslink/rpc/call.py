"""A call under way, as the method that serves it sees it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

Executor = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a function elsewhere than on the event loop's thread, in the context of its caller. What it returns may be
awaitable on the application's thread (`run="main"`), and is awaited there."""


class Caller(Protocol):
    """The client that made a call.

    Attributes:
        id: the client's id, as `link.clientId` shows it in JavaScript.
        user: what the application's authentication named it; "" unless it did.
        attributes: what the application's authentication said of it.
        address: the peer's address, "" where it is not known.
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
        client: the client that called.
        method: the method's name.
        app: the App (or the server protocol) that the caller is connected to.
        id: the id of the request.
        answered: whether the response has been sent.
        cancelled: whether the caller has given the call up, or has gone. An async method gets CancelledError; one that
            runs in a thread asks for this now and then, or calls `raise_if_cancelled`.
        lengths: what the symbols in its arrays' shapes stand for (see Array); {} for a call without any.
        streams: what carries its items, which is not for methods.
        report: what sends progress; None where the caller has not asked for any.
        arrived: when it came (monotonic), where it did not begin at once; else 0.
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
        """The caller's id, as `link.clientId` shows it in JavaScript and `publish(to=...)` takes it."""
        return self.client.id

    def raise_if_cancelled(self) -> None:
        """Raise asyncio.CancelledError, which `except Exception` lets pass, if the call is cancelled."""
        if self.cancelled:
            raise asyncio.CancelledError

    def progress(self, value: Any) -> None:
        """Send a caller that wants to know (`onProgress`, `on_progress`) how far the call has come, from any thread.
        Values arrive in order and before the response; of those that wait only the newest is sent (PRG-1).

        Args:
            value: anything that can be a result. It is encoded before this returns.

        Raises:
            NotSerializable: it cannot be sent.
        """
        if self.report is not None and not (self.answered or self.cancelled):
            self.report(value)

    def __repr__(self) -> str:
        return f"<Call {self.id} of {self.method}>"


current_call: contextvars.ContextVar[Call | None] = contextvars.ContextVar("wslink_current_call", default=None)
"""The call whose method is running in this context, or None."""
