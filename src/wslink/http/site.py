"""An aiohttp application on a port."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from wslink import settings as environment
from wslink.http.adoption import Adoption, adopt, answer_once
from wslink.http.fast_path import ARRIVALS, Arrivals
from wslink.http.listen import open_sockets

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
        self._opening: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> int:
        """Listen; the port, once it accepts.

        Raises:
            OSError: naming host and port, if they cannot be had, or if it was stopped meanwhile.
        """
        sockets = await open_sockets(*self._address)
        # To its end in any case: what is cancelled meanwhile would leave a port open that nobody can close.
        self._opening = asyncio.get_running_loop().create_task(self._open(sockets))
        try:
            await asyncio.shield(self._opening)
        except asyncio.CancelledError:
            await self.stop()
            raise
        return int(sockets[0].getsockname()[1])

    async def _open(self, sockets: list[socket.socket]) -> None:
        if self._stopped:
            for one in sockets:
                one.close()
            raise OSError(errno.ECANCELED, "the server was stopped before its port was open")
        self.runner = runner = _Runner(self._application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        self._arrivals = self._application[ARRIVALS] = Arrivals(runner.serve, self._application, self._transparent)
        folder = environment.read("WSLINK_HANDOVER", str, "") if self._tls is None else ""
        if folder:
            self._application.on_response_prepare.append(answer_once)
        await runner.setup()
        runner.arrivals = self._arrivals
        for one in sockets:
            self.sites.append(web.SockSite(runner, one, ssl_context=self._tls))
            await self.sites[-1].start()
        if folder:
            self._adoption = adopt(runner, folder, int(sockets[0].getsockname()[1]))

    async def stop(self) -> None:
        """Free the port, and end what is under way, a start included."""
        self._stopped = True
        if self._opening is not None:
            await asyncio.wait({self._opening})
            self._opening.cancelled() or self._opening.exception()  # `start` raises it
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
