"""The WebSocket route: from HTTP requests to sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from multidict import CIMultiDict

from wslink.http import origin
from wslink.http.acceptor import Complaints
from wslink.http.awaiting_hello import AwaitingHello
from wslink.session.identity import NO_HEADERS, Opening
from wslink.session.ports import HandshakeOwner
from wslink.session.session import Session
from wslink.transport.base import ServedTransport, TransportOptions, find_engine
from wslink.waiting import within

if TYPE_CHECKING:
    from aiohttp import web
    from multidict import MultiMapping

logger: logging.Logger = logging.getLogger("wslink.http")

_VERSIONS = ("13", "8", "7")
_KEY = re.compile("[A-Za-z0-9+/]{22}==")

SHUT_DOWN_TIMEOUT = 1.0
"""Seconds that clients have to answer the closing handshake when the server stops."""


class EndpointOptions(msgspec.Struct, frozen=True):
    """Options of the WebSocket route.

    Attributes:
        origins: origins that may connect in addition to the server's own; see `origin.is_allowed`.
        heartbeat: seconds between pings; below 1 there are none.
        compress: whether permessage-deflate is accepted if a client offers it.
        engine: the engine; see `base.find_engine`.
        logger: the name of the logger for connections; by default the engine's.
        hosts: names by which the server may be reached; see `origin.is_asked_by`. Any name if empty.
        guarded: whether pages that `origin.may_be_rebound` are refused: if only this machine can reach the server, and
            pages on this machine need no secret.
    """

    origins: tuple[str, ...] = ()
    heartbeat: float = 30.0
    compress: bool = True
    engine: str = "auto"
    logger: str = ""
    hosts: tuple[str, ...] = ()
    guarded: Callable[[], bool] = lambda: False


class Endpoint:
    """Handles the WebSocket route of one host.

    Args:
        host: the owner of the sessions.
        options: see EndpointOptions.
        route: the `Session.route` of the sessions of this endpoint.

    Raises:
        UsageError: the engine is not available.
    """

    def __init__(self, host: HandshakeOwner, options: EndpointOptions, route: Any = None) -> None:
        self._host = host
        self._options = options
        self._route = route
        self._engine = find_engine(options.engine)
        self._logger = logging.getLogger(options.logger or f"wslink.transport.{self._engine.name}")
        self._connections: set[ServedTransport] = set()
        self._empty = asyncio.Event()
        self._awaiting_hello: AwaitingHello[ServedTransport] = AwaitingHello(self._drop)
        self._carrying: TransportOptions | None = None
        self._refusals = Complaints()

    def add_to(self, application: web.Application, route: str) -> None:
        """Serve `route` until the application shuts down."""
        application.router.add_get(route, self.handler)
        application.on_shutdown.append(self._at_shutdown)

    @property
    def handler(self) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        return self._handle

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        from aiohttp import web

        from wslink.http.middlewares import surround
        from wslink.http.serving import SERVING

        refusal = self._refusal(request.headers, request.transport) if request.method == "GET" else NO_UPGRADE
        if refusal is not None:
            return web.Response(status=refusal.status, text=refusal.text, headers=refusal.headers)
        if SERVING in request.app:
            request.app[SERVING].learn(request, self)
        engine = self._engine
        if self._options.engine == "auto" and surround(request):
            engine = find_engine("aiohttp")  # a middleware expects to be left when the connection ends, with status 101
        # The request is not kept: a connection may outlive it by days.
        return await engine.serve_request(
            request,
            self._transport_options(),
            self._opening(request.headers, request.remote or "", request.query_string, request),
        )

    def serve_connection(self, transport: asyncio.Transport, query: str, headers: MultiMapping[str]) -> bool:
        """Take over a connection on which a GET request for this endpoint arrived. Returns False if aiohttp has to
        handle it, including refusals."""
        if (
            self._engine.serve_connection is None
            or self._host.wants_requests()
            or self._refusal(headers, transport) is not None
        ):
            return False
        peer, *_ = transport.get_extra_info("peername") or ("",)
        opening = self._opening(headers, str(peer), query)
        self._engine.serve_connection(transport, headers, self._transport_options(), opening)
        return True

    def _transport_options(self) -> TransportOptions:
        """The options that all connections share, while the host's limits do not change."""
        options, carrying, limits = self._options, self._carrying, self._host.limits
        if carrying is None or carrying.limits is not limits:
            carrying = self._carrying = TransportOptions(
                limits, options.heartbeat, options.compress, self._opened, self._ended
            )
        return carrying

    def _opening(
        self, headers: Mapping[str, str], peer: str, query: str, request: web.Request | None = None
    ) -> Opening:
        """How the request opens the connection. Its headers are kept, as long as the connection, only if they are
        needed."""
        kept = CIMultiDict(headers) if self._host.wants_headers() else NO_HEADERS
        return Opening(kept, peer, query if kept else "", origin.is_local_page(headers), request)

    def _opened(self, connection: ServedTransport, opening: Opening) -> Session:
        self._connections.add(connection)
        session = Session(self._host, connection, opening, route=self._route)
        self._awaiting_hello.add(session, connection)
        self._logger.info("client %s: a connection from %s", session.client_id, opening.address)
        return session

    def _ended(self, connection: ServedTransport) -> None:
        self._connections.discard(connection)
        self._awaiting_hello.forget()
        if not self._connections:
            self._empty.set()

    async def _at_shutdown(self, application: web.Application) -> None:
        await self.shut_down()

    async def shut_down(self) -> None:
        """Close open connections, such as those that never said hello, and wait until all have ended."""
        for connection in list(self._connections):
            connection.close(1001, "the server stops")
        if self._connections:
            self._empty.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await within(self._empty.wait(), SHUT_DOWN_TIMEOUT)
        for connection in list(self._connections):
            connection.abort()

    def _refusal(self, headers: MultiMapping[str], transport: asyncio.BaseTransport | None) -> Refusal | None:
        """The response to a GET request with these headers if it cannot be upgraded."""
        if not _is_upgrade(headers):
            return NO_UPGRADE
        if self._options.hosts and not origin.is_asked_by(headers, self._options.hosts):
            self._refusals.warning("a request by the name %s was refused: name it in hosts", headers.get("Host"))
            return UNKNOWN_NAME
        if not origin.is_allowed(headers, self._options.origins):
            self._refusals.warning(
                "a page of %s was refused: name it in WSLINK_ORIGINS; the server is %s to it",
                headers.get("Origin"), headers.get("Host"),
            )  # fmt: skip
            return FOREIGN_PAGE
        if self._options.guarded() and origin.may_be_rebound(headers, self._options.origins, _port_of(transport)):
            self._refusals.warning(origin.REBOUND, headers.get("Origin"))
            return FOREIGN_PAGE
        most = self._host.limits.max_clients
        if len(self._connections) >= most and not self._awaiting_hello.drop_oldest():
            self._refusals.warning("a client was refused: max_clients (%d) are connected", most)
            return Refusal(503, f"max_clients ({most}) are connected.\n")
        if self._host.is_application_behind():
            self._refusals.warning("a client was refused: the application is behind by max_mailbox calls and events")
            return Refusal(503, "The application is busy.\n", {"Retry-After": "1"})
        return None

    def _drop(self, connection: ServedTransport) -> None:
        connection.abort()
        self._ended(connection)


class Refusal(msgspec.Struct, frozen=True):
    """The HTTP response to a request that cannot be upgraded."""

    status: int
    text: str
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


FOREIGN_PAGE = Refusal(403, "Pages of this origin may not connect.\n")
UNKNOWN_NAME = Refusal(421, "The server is not known by this name; its setting hosts lists its names.\n")
NO_UPGRADE = Refusal(
    426, "This is a WebSocket endpoint.\n", {"Upgrade": "websocket", "Sec-WebSocket-Version": _VERSIONS[0]}
)


def _port_of(transport: asyncio.BaseTransport | None) -> int:
    """The port on which the connection arrived; 0 if unknown."""
    name = transport.get_extra_info("sockname") if transport is not None else None
    return int(name[1]) if isinstance(name, tuple) else 0


def _is_upgrade(headers: MultiMapping[str]) -> bool:
    """Whether the request is a valid WebSocket handshake (RFC 6455, 4.2.1)."""
    keys, versions = headers.getall("Sec-WebSocket-Key", ()), headers.getall("Sec-WebSocket-Version", ())
    return (
        (headers.get("Upgrade", "").lower() == "websocket" or _has_token(headers, "Upgrade", "websocket"))
        and (headers.get("Connection", "").lower() == "upgrade" or _has_token(headers, "Connection", "upgrade"))
        and len(versions) == 1
        and versions[0].strip() in _VERSIONS
        and len(keys) == 1
        and _KEY.fullmatch(keys[0].strip()) is not None
    )


def _has_token(headers: MultiMapping[str], name: str, token: str) -> bool:
    """Whether a header that contains a list of tokens, on one line or several, contains this one, in any case."""
    return any(one.strip().lower() == token for line in headers.getall(name, ()) for one in line.split(","))
