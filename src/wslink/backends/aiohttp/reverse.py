"""The reverse connection: a server that dials a relay instead of listening."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any, cast

import aiohttp

from wslink import environment
from wslink.backends import aiohttp as settings
from wslink.backends.aiohttp.connection import AiohttpConnection
from wslink.backends.aiohttp.endpoint import SHUT_DOWN_TIMEOUT
from wslink.backends.aiohttp.private import client_transport
from wslink.hub.life import READY_MSG, announce
from wslink.protocol import AbstractWebApp, WslinkHandler
from wslink.session.session import Session
from wslink.wire.envelope import CallEnvelope
from wslink.wire.frames import Buffer

logger = logging.getLogger("wslink.backends.aiohttp")

NEW_PEER = b"wslink:peer"
"""The payload of a ping by which a relay tells that another client has come. Pages cannot send pings, and a process
that does not know this one answers it as any other."""


class SuccessiveSessions:
    """The sessions of clients that use one connection in turn (session.contracts.Carriable).

    Nobody inherits what another client was granted: a hello after a good one begins a session, as does `next_client`.

    Args:
        begin: makes a session.
    """

    def __init__(self, begin: Callable[[], Session]) -> None:
        self._begin = begin
        self._session = self._next()

    def receive(self, binary: bool, data: Buffer | str) -> None:
        self._session.receive(binary, data)

    def resume(self) -> None:
        self._session.resume()

    def closed(self) -> None:
        self._session.closed()

    def close(self, code: int, reason: str) -> None:
        self._session.close(code, reason)

    def next_client(self) -> None:
        """Another client has come."""
        self._session.closed()
        self._session = self._next()

    def _next(self) -> Session:
        session = self._begin()
        session.renew = self._renew
        return session

    def _renew(self, hello: CallEnvelope) -> None:
        before = self._session
        self.next_client()
        self._session.succeed(before, hello)


class ReverseWebAppServer(AbstractWebApp):
    """Serves one protocol to whoever is at the other end of `reverse_url`: a relay's client, or several in turn."""

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        settings.reload_settings()
        self._url = str(server_config["reverse_url"])
        limits = environment.limits_with(settings.MAX_MSG_SIZE, settings.MSG_OVERHEAD)
        self._ws_handler = WslinkHandler(server_config["ws_protocol"], self, limits)
        self._serving: asyncio.Future[None] | None = None
        self._connection: AiohttpConnection | None = None

    async def start(self, port_callback: Any = None) -> None:
        """Connect, and serve until the connection ends or the server stops. It may be started again after that.

        Raises:
            aiohttp.ClientError: if nobody answers.
        """
        if port_callback is not None:
            port_callback(0)
        self._serving = asyncio.get_running_loop().create_future()
        try:
            if not self._life.ending:
                await self._dial()
        finally:
            self._serving.set_result(None)

    async def _dial(self) -> None:
        limit = self._ws_handler.hub.limits.max_frame
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(self._url, autoping=False, max_msg_size=limit, compress=0) as dialed,
        ):
            announce(os.environ.get("WSLINK_READY_MSG", READY_MSG))
            socket = cast("aiohttp.ClientWebSocketResponse[Any]", dialed)
            self._connection = connection = AiohttpConnection(
                socket, client_transport(socket), settings.HEART_BEAT or 0
            )
            sessions = SuccessiveSessions(lambda: self._session(connection))
            connection.on_ping = lambda payload: sessions.next_client() if payload == NEW_PEER else None
            await connection.run(sessions)

    def _session(self, connection: AiohttpConnection) -> Session:
        handler = self._ws_handler
        id_ = handler.reverse_connection_client_id
        # Its client may come long after the connection does: no hello_timeout.
        return Session(handler.hub, connection, client_id=id_, request=self._url, route=handler, hello_timeout=False)

    async def _shut_down(self) -> None:
        await self._ws_handler.disconnectClients()
        if self._serving is None:
            return
        _, late = await asyncio.wait({self._serving}, timeout=SHUT_DOWN_TIMEOUT)
        if late and self._connection is not None:
            self._connection.abort()
            await self._serving
