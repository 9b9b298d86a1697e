"""The clients of an App: who they are, what is heard of them, and calls of all of them."""

from __future__ import annotations

from typing import Any, TypeVar

from wslink.hub.clients import Clients
from wslink.hub.hub import ClientHandler, Hub
from wslink.rpc.redefinition import add_handler

HandlerT = TypeVar("HandlerT", bound=ClientHandler)


class Clientele:
    """The part of an App that concerns its clients. See App."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def on_connect(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when a client has come in."""
        add_handler(self._hub.on_connect, handler)
        return handler

    def on_disconnect(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when a client that had come in has gone for good."""
        add_handler(self._hub.on_disconnect, handler)
        return handler

    def on_detach(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when a client has lost its connection and may return
        within `Limits.resume_window` seconds. What it is sent meanwhile waits."""
        add_handler(self._hub.on_detach, handler)
        return handler

    def on_resume(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when such a client has returned."""
        add_handler(self._hub.on_resume, handler)
        return handler

    @property
    def clients(self) -> Clients:
        """The clients that have come in and not gone for good, by id, oldest first: also those that may return."""
        return self._hub.clients

    async def call_all(self, method: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> dict[str, Any]:
        """Call a function of every client, at once: its result, or the error that `Client.call` would raise, by client
        id. Those that offer none are among them, with a CallError."""
        return await self._hub.clients.call_all(method, args, kwargs, timeout)
