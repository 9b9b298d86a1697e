"""The WebSocket route: from an HTTP request to a session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from wslink.backends import origin
from wslink.backends.engine import Carriage, Carried, find_engine
from wslink.session.contracts import Host
from wslink.session.session import Session

logger = logging.getLogger("wslink.backends.aiohttp")

_VERSIONS = ("13", "8", "7")
_KEY = re.compile("[A-Za-z0-9+/]{22}==")

SHUT_DOWN_TIMEOUT = 1.0
"""Seconds that clients have to answer the closing handshake when the server stops."""


@dataclass(frozen=True)
class EndpointOptions:
    """What the WebSocket route needs to know.

    Attributes:
        origins: pages that may connect beside those of the server's own origin; see `origin.is_allowed`.
        heartbeat: seconds between pings; below 1 there are none.
        compress: whether permessage-deflate is accepted where a client offers it.
        engine: what carries the frames; see `engine.find_engine`.
    """

    origins: tuple[str, ...] = ()
    heartbeat: float = 30.0
    compress: bool = True
    engine: str = "auto"


class Endpoint:
    """Handles the WebSocket route of one host.

    Args:
        host: the host.
        options: see EndpointOptions.
        route: what sessions that come in here carry as `Session.route`.

    Raises:
        UsageError: if the engine cannot be had.
    """

    def __init__(self, host: Host, options: EndpointOptions, route: Any = None) -> None:
        self._host = host
        self._options = options
        self._route = route
        self._carry = find_engine(options.engine)
        self._connections: set[Carried] = set()
        self._empty = asyncio.Event()

    def add_to(self, application: web.Application, route: str) -> None:
        """Serve `route`, until the application shuts down."""
        application.router.add_get(route, self.handler)
        application.on_shutdown.append(self._shut_down)

    @property
    def handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return self._handle

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        opening = [request]  # taken out once used: a connection may outlive its request by days
        return await self._carry(request, self._carriage(lambda connection: self._opened(connection, opening.pop())))

    def _carriage(self, opened: Callable[[Carried], Session]) -> Carriage:
        options = self._options
        return Carriage(self._host.limits.max_frame, options.heartbeat, options.compress, opened, self._ended)

    def _opened(self, connection: Carried, request: web.Request) -> Session:
        self._connections.add(connection)
        same_origin = origin.is_local_page(request.headers)
        session = Session(self._host, connection, same_origin=same_origin, request=request, route=self._route)
        logger.info("client %s: a connection from %s", session.client_id, request.remote)
        return session

    def _ended(self, connection: Carried) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()

    async def _shut_down(self, application: web.Application) -> None:
        """Close what is still open, such as connections that never said hello, and wait until all have ended."""
        for connection in list(self._connections):
            connection.close(1001, "the server stops")
        if self._connections:
            self._empty.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._empty.wait(), SHUT_DOWN_TIMEOUT)
        for connection in list(self._connections):
            connection.abort()

    def _refusal(self, request: web.Request) -> web.Response | None:
        if not _is_upgrade(request):
            return web.Response(status=426, text="This is a WebSocket endpoint.\n", headers={"Upgrade": "websocket"})
        if not origin.is_allowed(request.headers, self._options.origins):
            logger.warning("a page of %s was refused: name it in WSLINK_ORIGINS", request.headers.get("Origin"))
            return web.Response(status=403, text="Pages of this origin may not connect.\n")
        if len(self._connections) >= self._host.limits.max_clients:
            return web.Response(status=503, text=f"max_clients ({self._host.limits.max_clients}) are connected.\n")
        return None


def _is_upgrade(request: web.Request) -> bool:
    """Whether it is a valid WebSocket handshake (RFC 6455, 4.2.1)."""
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("Upgrade", "").lower().strip() == "websocket"
        and "upgrade" in headers.get("Connection", "").lower()
        and headers.get("Sec-WebSocket-Version") in _VERSIONS
        and _KEY.fullmatch(headers.get("Sec-WebSocket-Key", "")) is not None
    )
