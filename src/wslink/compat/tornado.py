"""A server of Tornado's in front of the generic backend's endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, StaticFileHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from wslink import settings as environment
from wslink.compat.generic import GenericMessage, GenericServer, WsConnection, WsEndpoint, startWebServer
from wslink.compat.hosting import has_known_secret
from wslink.hosts import is_loopback
from wslink.http import origin
from wslink.http.acceptor import Complaints
from wslink.http.files import below
from wslink.http.listen import listening_sockets
from wslink.http.static import is_hidden
from wslink.server.limits import limits as limits_of_environment
from wslink.transport import tcp
from wslink.transport.framing import frame_header
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.turns import Share

__all__ = ["GenericMessage", "TornadoServer", "WsLinkWebSocket", "create_webserver", "startWebServer"]

HEART_BEAT = 30.0
TEXT, BINARY = 0x81, 0x82
"""First bytes of frames that are whole messages (RFC 6455, 5.2)."""

logger: logging.Logger = logging.getLogger("wslink.backends.tornado")
_refusals = Complaints()


class SocketHandler(WebSocketHandler):
    """One WebSocket as a connection of an endpoint."""

    def initialize(self, endpoint: WsEndpoint, origins: tuple[str, ...], heartbeat: float, local: int) -> None:
        self._endpoint = endpoint
        self._origins = origins
        self._local = local  # the port, where only this machine reaches it
        self._interval = heartbeat
        self._heartbeat: Heartbeat | None = None
        self._connection: WsConnection | None = None
        self._share = Share()

    def prepare(self) -> None:
        """Refuse rebound pages: Tornado asks `check_origin` about none that is of its own origin."""
        guarded = self._local and has_known_secret(self._endpoint.serverProtocol)
        if guarded and origin.may_be_rebound(self.request.headers, self._origins, self._local):
            _refusals.warning(origin.REBOUND, self.request.headers["Origin"])
            raise HTTPError(403)

    def check_origin(self, asking: str) -> bool:
        allowed = origin.is_allowed(self.request.headers, self._origins)
        if not allowed:
            _refusals.warning("a page of %s was refused: name it in WSLINK_ORIGINS", asking)
        return allowed

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)
        self._connection = self._endpoint.open(self.request)
        self._connection.on_message(self._send)
        self._connection.on_close(self.close)
        self._heartbeat = Heartbeat(self._interval, self)
        task = asyncio.current_task()
        if task is not None and self.get_compression_options() is None:
            self._endpoint.write_at_once(self._connection.client_id, task, self._write)

    # heartbeat.Peer

    def arrived(self) -> int:
        return self.line().arrived

    def line(self) -> tcp.Line:
        stream = getattr(self.ws_connection, "stream", None)
        return tcp.line_of(stream.socket, 0) if stream is not None else tcp.UNKNOWN

    def beat(self) -> None:
        with contextlib.suppress(WebSocketClosedError):
            self.ping(b"")

    def dead(self, reason: str) -> None:
        logger.warning("client %s is dropped: %s", self._connection.client_id if self._connection else "?", reason)
        stream = getattr(self.ws_connection, "stream", None)
        if stream is not None:
            stream.close()

    def on_pong(self, _: bytes) -> None:
        if self._heartbeat is not None:
            self._heartbeat.heard = True

    def on_message(self, message: str | bytes) -> Awaitable[None] | None:
        """Take a message; what is returned is awaited before the next one is read."""
        self.on_pong(b"")
        if self._connection is None:
            return None
        client_id = self._connection.client_id
        self._share.begin()
        self._endpoint.received(isinstance(message, bytes), message, client_id)
        gate = self._endpoint.gate(client_id)
        if gate is not None and gate.closed:
            return gate.wait()
        return self._share.turn() if self._share.is_over() else None

    def on_close(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        if self._connection is not None:
            self._connection.end()

    def _write(self, is_binary: bool, payload: bytes) -> Awaitable[None] | None:
        """Write a frame, for which Tornado's `write_message` makes a task that takes two turns of the event loop; what
        to wait for where the connection does not take it at once."""
        connection = self.ws_connection
        stream: IOStream | None = getattr(connection, "stream", None)
        if connection is None or stream is None or connection.is_closing():
            return None
        try:
            written = stream.write(frame_header(BINARY if is_binary else TEXT, len(payload)) + payload)
        except StreamClosedError:
            return None
        return _until(written) if stream.writing() else None

    async def _send(self, is_binary: bool, content: Any) -> None:
        with contextlib.suppress(WebSocketClosedError):
            await self.write_message(content, binary=is_binary)


async def _until(written: Awaitable[None]) -> None:
    with contextlib.suppress(StreamClosedError):
        await written


WsLinkWebSocket = SocketHandler
"""Its name in released packages."""


class PublicFiles(StaticFileHandler):
    """Static files, without those that `is_hidden` names."""

    async def get(self, path: str, include_body: bool = True) -> None:
        if is_hidden(path) or "\0" in path:
            raise HTTPError(404)
        await super().get(path, include_body)

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """To a directory; relative, for proxies that serve this server below a path of their own."""
        super().redirect(str(below(self.request.path)), permanent, status)


class TornadoServer(GenericServer):
    """Serves the endpoints and static files over HTTP.

    Made inside a running event loop it listens at once, otherwise when it starts. The first endpoint answers at `/ws`,
    whatever its route is; the others at theirs.
    """

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        self._http: HTTPServer | None = None
        self._port = self.port
        with contextlib.suppress(RuntimeError):
            asyncio.get_running_loop()
            self._listen()

    def get_port(self) -> int:
        return self._port

    async def _serve(self, port_callback: Any) -> None:
        """Serve until it stops, as it does at SIGINT and SIGTERM unless `handle_signals` is off."""
        if self.handle_signals and not self._life.ending:
            self._life.handle_signals()
        try:
            self._listen()
            await super()._serve(port_callback)
        finally:
            self._life.release_signals()

    def _listen(self) -> None:
        if self._http is not None or self._life.ending:
            return
        sockets = listening_sockets(self.host, self.port)
        self._port = sockets[0].getsockname()[1]
        self.set_app(self._application())
        self._http = HTTPServer(self.app, ssl_options=self.ssl_context)
        self._http.add_sockets(sockets)

    def _application(self) -> Application:
        local = is_loopback(self.host)
        origins = environment.origins() + (origin.LOOPBACK_PAGES if local else ())
        beat = environment.read("WSLINK_HEART_BEAT", float, HEART_BEAT)
        routes: list[Any] = []
        for route, endpoint in self._endpoints.items():
            arguments = {
                "endpoint": endpoint,
                "origins": origins,
                "heartbeat": beat,
                "local": self._port if local else 0,
            }
            paths = {"/" + route.lstrip("/"), *([] if routes else ["/ws"])}
            routes += [(path, SocketHandler, arguments) for path in sorted(paths)]
        static = self.config.get("static") or {}
        for route in sorted(static, key=len, reverse=True):
            arguments = {"path": static[route], "default_filename": "index.html"}
            prefix = route.strip("/")
            routes.append((f"/{prefix}/(.*)" if prefix else "/(.*)", PublicFiles, arguments))
        limits = limits_of_environment()
        # Tornado's own pings take a client behind a slow line for dead.
        return Application(routes, websocket_max_message_size=limits.max_frame)

    async def _shut_down(self) -> None:
        await super()._shut_down()
        http, self._http = self._http, None
        if http is not None:
            http.stop()
            await http.close_all_connections()


def create_webserver(server_config: dict[str, Any]) -> TornadoServer:
    """A TornadoServer. Raises NotImplementedError for a reverse connection."""
    return TornadoServer(server_config)
