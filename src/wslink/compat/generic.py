"""Endpoints and connections in memory."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from wslink.compat.hosting import bare_id
from wslink.compat.protocol import AbstractWebApp, WslinkHandler
from wslink.hub.life import Life
from wslink.server import loop
from wslink.session.session import Session

MessageCallback = Callable[[bool, Any], Awaitable[None]]


class WsConnection:
    """One client's connection.

    Attributes:
        client_id: 32 hexadecimal digits.
        closed: whether it has ended, or has not begun.
    """

    def __init__(self, endpoint: WsEndpoint) -> None:
        self.client_id: str = uuid.uuid4().hex
        self.closed: bool = True
        self._endpoint = endpoint
        self._callback: MessageCallback | None = None
        self._on_close: Callable[[int, str], None] | None = None

    # The client's side

    def on_message(self, callback: MessageCallback) -> None:
        """Call `await callback(is_binary, content)` with each frame for the client, one after another."""
        self._callback = callback

    async def send(self, is_binary: bool, msg: Any) -> None:
        """Handle a frame from the client: `msg.data`. A response that a method gives at once has reached the callback
        when this returns."""
        await self._endpoint.onMessage(is_binary, msg, self.client_id)

    async def close(self, *, code: int = 1000, message: bytes = b"") -> None:
        """End the connection. Safe to call more than once."""
        if not self.closed and self._on_close is not None:
            self._on_close(code, message.decode())
        self.end()

    def on_close(self, callback: Callable[[int, str], None]) -> None:
        """Call `callback(code, reason)` when the connection is closed."""
        self._on_close = callback

    def end(self) -> None:
        """The client has gone. Safe to call more than once."""
        self.closed = True
        self._endpoint.ended(self.client_id)

    # The server's side

    async def send_bytes(self, data: bytes) -> None:
        if self._callback is not None:
            await self._callback(True, data)

    async def send_str(self, data: str) -> None:
        if self._callback is not None:
            await self._callback(False, data)


class GenericMessage:
    """A frame from the client, as `WsConnection.send` takes it."""

    def __init__(self, data: Any) -> None:
        self.data = data


class WsEndpoint(WslinkHandler):
    """The connections to one protocol."""

    async def connect(self) -> WsConnection:
        """Create a connection."""
        return self.open()

    def open(self, request: Any = None) -> WsConnection:
        """Open a connection. Protocols receive `request`; by default, the connection itself."""
        connection = WsConnection(self)
        self.connections[connection.client_id] = connection
        connection.closed = False
        self.connected(request or {"type": "generic", "connection": connection}, connection.client_id)
        return connection

    def detach(self, session: Session) -> None:
        super().detach(session)
        self.connections.pop(bare_id(session.client_id), None)

    async def disconnect(self, client_or_id: WsConnection | str) -> None:
        """End a connection, or the one with that client id, if it is known."""
        found = self.connections.get(client_or_id) if isinstance(client_or_id, str) else client_or_id
        if found is not None:
            await found.close()

    async def onMessage(self, is_binary: bool, msg: Any, client_id: str) -> None:
        transport = self._transports.get(client_id)
        await super().onMessage(is_binary, msg, client_id)
        if transport is not None:
            await transport.flushed()


class GenericServer(AbstractWebApp):
    """Endpoints without a network. `server.ws` and `server["ws"]` are the endpoint of the route `ws`, or None."""

    def __init__(self, server_config: dict[str, Any]) -> None:
        if server_config.get("reverse_url"):
            raise NotImplementedError("reverse_url needs the aiohttp backend")
        super().__init__(server_config)
        loop.warn_of_thread(type(self).__name__)
        self._was_started = False
        self._endpoints = {
            route: WsEndpoint(protocol, self) for route, protocol in (server_config.get("ws") or {}).items()
        }

    @property
    def ws_endpoints(self) -> list[str]:
        """The routes."""
        return list(self._endpoints)

    def __getitem__(self, route: str) -> WsEndpoint | None:
        return self._endpoints.get(route)

    def __getattr__(self, route: str) -> WsEndpoint | None:
        endpoints: dict[str, WsEndpoint] = self.__dict__.get("_endpoints", {})
        return endpoints.get(route)

    async def start(self, port_callback: Any = None) -> None:
        """Wait until it stops; `port_callback` is called with the port, 0 where there is none. Once it has stopped it
        may be started again."""
        if self._was_started and self._life.ended:
            self._life = Life(self.stop, self.timeout)
            for endpoint in self._endpoints.values():
                endpoint.reopen()
        self._was_started = True
        await self._serve(port_callback)

    async def _serve(self, port_callback: Any) -> None:
        if port_callback is not None:
            port_callback(self.get_port())
        try:
            await self._life.wait_ended()
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def _shut_down(self) -> None:
        for endpoint in self._endpoints.values():
            await endpoint.disconnectClients()
            endpoint.hub.reopen()

    def write_static_content(self, dest_directory: str | Path) -> None:
        """Copy the static files to a directory: those of route "/" into it, those of others below it."""
        destination = Path(dest_directory)
        destination.mkdir(parents=True, exist_ok=True)
        for route, directory in (self.config.get("static") or {}).items():
            below = route.strip("/")
            if below:
                shutil.copytree(directory, destination / below)
            else:
                shutil.copytree(directory, destination, dirs_exist_ok=True)


def create_webserver(server_config: dict[str, Any]) -> GenericServer:
    """A GenericServer. Raises NotImplementedError for a reverse connection."""
    return GenericServer(server_config)


def startWebServer(*_: Any, **__: Any) -> None:
    """There is no launcher here: raises NotImplementedError."""
    raise NotImplementedError("the launcher needs the aiohttp backend")
