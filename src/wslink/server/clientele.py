"""The clients of an App: their identities, their events, and calls to all of them."""

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
        """Decorator: call `handler(client_id)`, sync or async, when a client has authenticated."""
        add_handler(self._hub.on_connect, handler)
        return handler

    def on_disconnect(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when an authenticated client has left for good."""
        add_handler(self._hub.on_disconnect, handler)
        return handler

    def on_detach(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when a client has lost its connection and may return
        within `Limits.resume_window` seconds. Messages to it wait meanwhile."""
        add_handler(self._hub.on_detach, handler)
        return handler

    def on_resume(self, handler: HandlerT) -> HandlerT:
        """Decorator: call `handler(client_id)`, sync or async, when a client has returned with its session."""
        add_handler(self._hub.on_resume, handler)
        return handler

    @property
    def clients(self) -> Clients:
        """The authenticated clients by id, the oldest first, including those that are disconnected and may return."""
        return self._hub.clients

    async def call_all(self, method: str, /, *args: Any, timeout: float | None = None, **kwargs: Any) -> dict[str, Any]:
        """Call a function of all clients concurrently. Returns the result, or the error that `Client.call` would raise,
        by client id: a CallError for a client that does not offer the function."""
        return await self._hub.clients.call_all(method, args, kwargs, timeout)
