"""The ASGI application: the WebSocket and the JavaScript client, to be mounted in another application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from typing import Protocol

from multidict import CIMultiDict

from wslink.errors import BrokerError
from wslink.hosts import is_loopback
from wslink.http import origin
from wslink.http.awaiting_hello import AwaitingHello
from wslink.http.client_files import ClientFiles
from wslink.session.identity import Opening
from wslink.session.ports import HandshakeOwner
from wslink.session.session import Session
from wslink.transport.asgi import AsgiSocket, Event, Receive, Send
from wslink.transport.base import CLOSE_TIMEOUT
from wslink.transport.private_asyncio import bound_reads
from wslink.transport.queued import PumpedConnection
from wslink.waiting import within

logger: logging.Logger = logging.getLogger("wslink")

PATIENCE = 1.0
"""Seconds in which the server says that a client has gone, once it can be sent nothing more."""
TRY_AGAIN_LATER = 1013
POLICY_VIOLATION = 1008


class Lifespan(Protocol):
    """Starts and stops together with the process that serves an application."""

    async def begin(self) -> None:
        """Raises BrokerError."""

    async def end(self) -> None: ...


class AsgiApplication:
    """Serves `/<route>` (WebSocket) and `/wslink/client.js` below the path where it is mounted.

    Args:
        host: the owner of the sessions.
        route: the WebSocket's route.
        origins: origins that may connect in addition to the server's own; see `origin.is_allowed`.
        client: the directory of the JavaScript client.
        guarded: whether pages that `origin.may_be_rebound` are refused to clients on this machine.
        lifespan: starts and stops with the server, if this is its outermost application. An outer application may await
            its `begin` and `end` itself.
    """

    def __init__(
        self,
        host: HandshakeOwner,
        route: str,
        origins: tuple[str, ...],
        client: Path,
        lifespan: Lifespan,
        guarded: bool = False,
    ) -> None:
        self.lifespan: Lifespan = lifespan
        self._host = host
        self._route = "/" + route.strip("/")
        self._origins = origins
        self._client = ClientFiles(client)
        self._guarded = guarded
        self._connections = 0
        self._awaiting_hello: AwaitingHello[asyncio.Future[tuple[int, str]]] = AwaitingHello(asyncio.Future.cancel)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Handle one connection (ASGI 3)."""
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise RuntimeError(f"{scope['type']} is not handled here")

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start and stop with the server (ASGI's lifespan protocol)."""
        await receive()  # lifespan.startup
        try:
            await self.lifespan.begin()
        except BrokerError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await self.lifespan.end()
        await send({"type": "lifespan.shutdown.complete"})

    async def _websocket(self, scope: Event, receive: Receive, send: Send) -> None:
        await receive()  # websocket.connect
        headers = _headers(scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            code, reason = refusal
            logger.warning("a WebSocket was refused: %s", reason)
            await send({"type": "websocket.close", "code": code, "reason": reason})
            return
        _warn_of_daphne()
        await send({"type": "websocket.accept"})
        self._connections += 1
        try:
            bound_reads(receive)
            await self._carry(AsgiSocket(receive, send), scope, headers)
        finally:
            self._connections -= 1
            self._awaiting_hello.forget()

    async def _carry(self, socket: AsgiSocket, scope: Event, headers: CIMultiDict[str]) -> None:
        connection = PumpedConnection(socket)
        same_origin = _is_from_here(scope) and origin.is_local_page(headers)
        address = scope["client"][0] if scope.get("client") else ""
        query = scope.get("query_string", b"").decode("latin-1")
        opening = Opening(headers, address, query, same_origin, request=scope, scope=scope)
        session = Session(self._host, connection, opening)
        connection.carry(session)
        reading = asyncio.ensure_future(
            socket.read(
                lambda: connection.receiver or session, self._host.limits.max_frame, connection.gate, connection.hold
            )
        )
        loop = asyncio.get_running_loop()
        socket.on_failure = lambda error: loop.call_later(PATIENCE, _give_up, reading, error)
        connection.write_in_one_task()
        self._awaiting_hello.add(session, reading)
        try:
            await asyncio.wait({reading})
            if not reading.cancelled() and (end := reading.result())[0]:
                (connection.receiver or session).close(*end)
            with contextlib.suppress(asyncio.TimeoutError):
                await within(connection.flushed(), CLOSE_TIMEOUT)
        finally:
            reading.cancel()
            connection.stop()
            (connection.receiver or session).closed(socket.asked)

    def _refusal(self, scope: Event, headers: CIMultiDict[str]) -> tuple[int, str] | None:
        path = _path(scope)
        if path != self._route:
            return POLICY_VIOLATION, f"there is no WebSocket at {path}"
        if not origin.is_allowed(headers, self._origins):
            return POLICY_VIOLATION, f"pages of {headers.get('Origin')} may not connect"
        port = (scope.get("server") or ("", 0))[1]
        if self._guarded and _is_from_here(scope) and origin.may_be_rebound(headers, self._origins, port):
            return POLICY_VIOLATION, origin.REBOUND % headers.get("Origin")
        if self._connections >= self._host.limits.max_clients and not self._awaiting_hello.drop_oldest():
            return TRY_AGAIN_LATER, f"max_clients ({self._host.limits.max_clients}) are connected"
        return None

    async def _http(self, scope: Event, send: Send) -> None:
        directory, _, name = _path(scope).lstrip("/").rpartition("/")
        asked = name if directory == "wslink" and scope["method"] in ("GET", "HEAD") else ""
        status, headers, body = self._client.answer(asked, _headers(scope))
        lines = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _give_up(reading: asyncio.Future[tuple[int, str]], error: Exception) -> None:
    """End a connection to which nothing more can be sent, although the server has not reported that the client has
    gone."""
    if not reading.done():
        logger.warning("a connection ends: the ASGI server, or what stands around it, cannot send: %r", error)
        reading.cancel()


_warned = False


def _warn_of_daphne() -> None:
    """Log once what daphne does to large messages; its limit is not visible to the application."""
    global _warned
    if not _warned and "daphne.server" in sys.modules:
        _warned = True
        logger.warning("daphne drops messages of over 1 MiB without an error: set WSLINK_MAX_MSG_SIZE=1000000")


def _path(scope: Event) -> str:
    """The path below the mount point. Servers and frameworks differ in whether `path` includes the mount point."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return "/" + path.removeprefix(root).lstrip("/") if root and path.startswith(root + "/") else path


def _is_from_here(scope: Event) -> bool:
    """Whether the peer's address is a loopback address. The address on which the server listens is not known here
    (HELLO-7)."""
    return bool(scope.get("client")) and is_loopback(scope["client"][0])


def _headers(scope: Event) -> CIMultiDict[str]:
    return CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
