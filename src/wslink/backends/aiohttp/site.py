"""An aiohttp application on a port."""

from __future__ import annotations

import ssl

from aiohttp import web

from wslink.backends.listen import listening_sockets

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that HTTP requests under way have to end when the server stops."""


class Site:
    """Serves an application on every address of a host.

    Attributes:
        runner: aiohttp's, once it has started.
        sites: one per address.
    """

    def __init__(self, application: web.Application, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self.runner: web.AppRunner | None = None
        self.sites: list[web.SockSite] = []
        self._application = application
        self._address = host, port
        self._tls = tls

    async def start(self) -> int:
        """Listen; the port, once it accepts.

        Raises:
            OSError: naming host and port, if they cannot be had.
        """
        sockets = listening_sockets(*self._address)
        self.runner = web.AppRunner(self._application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        await self.runner.setup()
        for one in sockets:
            self.sites.append(web.SockSite(self.runner, one, ssl_context=self._tls))
            await self.sites[-1].start()
        return int(sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Free the port, and end what is under way."""
        if self.runner is not None:
            await self.runner.cleanup()
