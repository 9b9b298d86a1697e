"""The released API's server behind a relay."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from wslink import settings as environment
from wslink.compat import aiohttp as settings
from wslink.compat.hosting import core_id
from wslink.compat.protocol import AbstractWebApp, WslinkHandler
from wslink.http.endpoint import SHUT_DOWN_TIMEOUT
from wslink.http.reverse import ReverseConnection
from wslink.hub.life import announce
from wslink.server.limits import limits_with


class ReverseWebAppServer(AbstractWebApp):
    """Serves one protocol to the other end of `reverse_url`: a relay's client, or several one after another.

    With `reconnect` in its configuration it reconnects when the connection ends, and stops when `timeout` seconds have
    passed since the last client left.
    """

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        settings.reload_settings()
        limits = limits_with(settings.MAX_MSG_SIZE, settings.MSG_OVERHEAD)
        self._ws_handler = handler = WslinkHandler(server_config["ws_protocol"], self, limits)
        self._reverse = ReverseConnection(
            handler.hub,
            str(server_config["reverse_url"]),
            settings.HEART_BEAT or 0,
            token_file=os.environ.get("WSLINK_REVERSE_TOKEN_FILE", ""),
            route=handler,
            client_id=core_id(handler.reverse_connection_client_id),
        )
        self._serving: asyncio.Future[None] | None = None

    async def start(self, port_callback: Any = None) -> None:
        """Connect, and serve until the server stops. Without `reconnect`, it serves until the connection ends, and may
        be started again after that.

        Raises:
            aiohttp.ClientError: the relay does not respond.
            UsageError: WSLINK_REVERSE_TOKEN_FILE contains no token.
        """
        if port_callback is not None:
            port_callback(0)
        if not self._life.ending:
            self._use_thread([self._ws_handler.hub])
        if self.handle_signals:
            self._life.handle_signals()
        try:
            await self._life.run(self._serve_noting())
        finally:
            self._life.release_signals()
            await self._life.leave_thread()

    async def _serve_noting(self) -> None:
        """On the event loop that serves clients."""
        self._serving = asyncio.get_running_loop().create_future()
        try:
            if not self._life.ending:
                await self._serve()
        finally:
            self._serving.set_result(None)

    async def _serve(self) -> None:
        def connected() -> None:
            announce(os.environ.get("WSLINK_READY_MSG", environment.READY_MSG))

        if not self._config.get("reconnect"):
            await self._reverse.carry(connected)
            return
        self._ws_handler.hub.on_change.append(self._begin_life)
        await self._reverse.serve(connected)

    def _begin_life(self) -> None:
        """Watch clients from the first one on, however late it connects."""
        self._ws_handler.hub.on_change.remove(self._begin_life)
        self._life.begin([self._ws_handler.hub])

    async def _shut_down(self) -> None:
        await self._ws_handler.disconnectClients()
        await self._reverse.close()
        if self._serving is None:
            return
        _, late = await asyncio.wait({self._serving}, timeout=SHUT_DOWN_TIMEOUT)
        if late:
            self._reverse.abort()
            await self._serving
