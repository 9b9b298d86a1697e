"""An aiohttp application on a port."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from wslink import environment
from wslink.backends.aiohttp.adoption import Adoption, adopt, answer_once
from wslink.backends.aiohttp.arrival import ARRIVALS, Arrivals
from wslink.backends.listen import listening_sockets

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that HTTP requests under way have to end when the server stops."""


class Site:
    """Serves an application on every address of a host, and the connections that a launcher hands over to it, where
    WSLINK_HANDOVER names a folder for that.

    Args:
        transparent: middlewares of the application that do nothing to a WebSocket.

    Attributes:
        runner: aiohttp's, once it has started.
        sites: one per address.
    """

    def __init__(
        self,
        application: web.Application,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        transparent: Iterable[Any] = (),
    ) -> None:
        self.runner: web.AppRunner | None = None
        self.sites: list[web.SockSite] = []
        self._application = application
        self._address = host, port
        self._tls = tls
        self._transparent = transparent
        self._arrivals: Arrivals | None = None
        self._adoption: Adoption | None = None

    async def start(self) -> int:
        """Listen; the port, once it accepts.

        Raises:
            OSError: naming host and port, if they cannot be had.
        """
        sockets = listening_sockets(*self._address)
        self.runner = runner = _Runner(self._application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        self._arrivals = self._application[ARRIVALS] = Arrivals(runner.serve, self._application, self._transparent)
        folder = environment.read("WSLINK_HANDOVER", str, "") if self._tls is None else ""
        if folder:
            self._application.on_response_prepare.append(answer_once)
        await runner.setup()
        runner.arrivals = self._arrivals
        for one in sockets:
            self.sites.append(web.SockSite(self.runner, one, ssl_context=self._tls))
            await self.sites[-1].start()
        port = int(sockets[0].getsockname()[1])
        if folder:
            self._adoption = adopt(runner, folder, port)
        return port

    async def stop(self) -> None:
        """Free the port, and end what is under way."""
        if self._adoption is not None:
            self._adoption.stop()
        if self._arrivals is not None:
            self._arrivals.close()
        if self.runner is not None:
            await self.runner.cleanup()


class _Runner(web.AppRunner):
    """Serves connections by `arrivals`, where a site has set it."""

    arrivals: Arrivals | None = None

    def serve(self) -> asyncio.Protocol:
        """aiohttp's protocol for a connection."""
        server = super().server
        assert server is not None
        return server()

    @property
    def server(self) -> Any:
        return self.arrivals or super().server
