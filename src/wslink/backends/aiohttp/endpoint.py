"""The WebSocket route: from an HTTP request to a session."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from wslink.backends import origin
from wslink.backends.aiohttp.connection import AiohttpConnection
from wslink.session.contracts import Host
from wslink.session.session import Session

logger = logging.getLogger("wslink.backends.aiohttp")


@dataclass(frozen=True)
class EndpointOptions:
    """What the WebSocket route needs to know.

    Attributes:
        origins: pages that may connect beside those of the server's own origin; see `origin.is_allowed`.
        heartbeat: seconds between pings; below 1 there are none.
        compress: whether permessage-deflate is accepted where a client offers it.
    """

    origins: tuple[str, ...] = ()
    heartbeat: float = 30.0
    compress: bool = True


class Endpoint:
    """Handles the WebSocket route of one host.

    Args:
        host: the host.
        options: see EndpointOptions.
        route: what sessions that come in here carry as `Session.route`.
    """

    def __init__(self, host: Host, options: EndpointOptions, route: Any = None) -> None:
        self._host = host
        self._options = options
        self._route = route
        self._connections: set[AiohttpConnection] = set()

    @property
    def handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return self._handle

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            autoping=False, compress=self._options.compress, max_msg_size=self._host.limits.max_frame, timeout=1.0
        )
        refusal = self._refusal(request, socket)
        if refusal is not None:
            return refusal
        await socket.prepare(request)
        connection = AiohttpConnection(socket, request.transport, self._options.heartbeat)
        self._connections.add(connection)
        try:
            await connection.run(self._session(connection, request))
        finally:
            self._connections.discard(connection)
        return socket

    def _session(self, connection: AiohttpConnection, request: web.Request) -> Session:
        same_origin = origin.is_local_page(request.headers)
        session = Session(self._host, connection, same_origin=same_origin, request=request, route=self._route)
        logger.info("client %s: a connection from %s", session.client_id, request.remote)
        return session

    def _refusal(self, request: web.Request, socket: web.WebSocketResponse) -> web.Response | None:
        if not socket.can_prepare(request):
            return web.Response(status=426, text="This is a WebSocket endpoint.\n", headers={"Upgrade": "websocket"})
        if not origin.is_allowed(request.headers, self._options.origins):
            logger.warning("a page of %s was refused: name it in WSLINK_ORIGINS", request.headers.get("Origin"))
            return web.Response(status=403, text="Pages of this origin may not connect.\n")
        if len(self._connections) >= self._host.limits.max_clients:
            return web.Response(status=503, text=f"max_clients ({self._host.limits.max_clients}) are connected.\n")
        return None
