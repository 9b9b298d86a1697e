"""The WebSocket route: from an HTTP request to a session."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import CIMultiDict

from wslink.http import origin
from wslink.http.fast_path import ARRIVALS
from wslink.session.identity import Opening
from wslink.session.ports import Endpoint as Host
from wslink.session.session import Session
from wslink.transport.base import Carriage, Carried, Refusal, find_engine

if TYPE_CHECKING:
    from multidict import MultiMapping

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
        self._engine = find_engine(options.engine)
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
        refusal = self._refusal(request.headers) if request.method == "GET" else NO_UPGRADE
        if refusal is not None:
            return web.Response(status=refusal.status, text=refusal.text, headers=refusal.headers)
        if ARRIVALS in request.app:
            request.app[ARRIVALS].learn(request, self)
        given = self._opening(request.headers, request.remote or "", request.query_string, request)
        opening = [given]  # taken out once used: a connection may outlive its request by days
        carriage = self._carriage(lambda connection: self._opened(connection, opening.pop()))
        return await self._engine.carry(request, carriage)

    def adopt(self, transport: asyncio.Transport, head: bytes) -> bool:
        """Take a connection that begins with `head`, a GET request for this endpoint; False if aiohttp has to."""
        if self._engine.adopt is None or self._host.wants_requests():
            return False

        def decide(headers: MultiMapping[str]) -> Carriage | Refusal:
            opening = self._opening(headers, str(peer), _query(head))
            return self._refusal(headers) or self._carriage(lambda connection: self._opened(connection, opening))

        peer, *_ = transport.get_extra_info("peername") or ("",)
        self._engine.adopt(transport, head, self._host.limits.max_frame, decide)
        return True

    def _carriage(self, opened: Callable[[Carried], Session]) -> Carriage:
        options = self._options
        return Carriage(self._host.limits.max_frame, options.heartbeat, options.compress, opened, self._ended)

    def _opening(
        self, headers: Mapping[str, str], peer: str, query: str, request: web.Request | None = None
    ) -> Opening:
        """What a request brings. Its headers are kept, as long as its connection, only where they are wanted."""
        kept = CIMultiDict(headers) if self._host.wants_headers() else {}
        return Opening(kept, peer, query if kept else "", origin.is_local_page(headers), request)

    def _opened(self, connection: Carried, opening: Opening) -> Session:
        self._connections.add(connection)
        session = Session(self._host, connection, opening, route=self._route)
        logger.info("client %s: a connection from %s", session.client_id, opening.address)
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

    def _refusal(self, headers: Mapping[str, str]) -> Refusal | None:
        """What a GET request with these headers is answered if it gets no WebSocket."""
        if not _is_upgrade(headers):
            return NO_UPGRADE
        if not origin.is_allowed(headers, self._options.origins):
            logger.warning("a page of %s was refused: name it in WSLINK_ORIGINS", headers.get("Origin"))
            return Refusal(403, "Pages of this origin may not connect.\n")
        if len(self._connections) >= self._host.limits.max_clients:
            return Refusal(503, f"max_clients ({self._host.limits.max_clients}) are connected.\n")
        return None


def _query(head: bytes) -> str:
    """The query string of the request that begins with `head`."""
    target = head.partition(b"\r\n")[0].split(b" ")[1]
    return target.partition(b"?")[2].decode("latin-1")


NO_UPGRADE = Refusal(426, "This is a WebSocket endpoint.\n", {"Upgrade": "websocket"})


def _is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether it is a valid WebSocket handshake (RFC 6455, 4.2.1)."""
    return (
        headers.get("Upgrade", "").lower().strip() == "websocket"
        and "upgrade" in headers.get("Connection", "").lower()
        and headers.get("Sec-WebSocket-Version") in _VERSIONS
        and _KEY.fullmatch(headers.get("Sec-WebSocket-Key", "")) is not None
    )
