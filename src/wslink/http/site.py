"""An aiohttp application on a port."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from wslink import settings as environment
from wslink.http.acceptor import Acceptor, Connections
from wslink.http.fast_path import ARRIVALS, Arrivals
from wslink.http.listen import open_sockets
from wslink.http.unread import Unread
from wslink.transport.private import HANDLER_OPTIONS, AcceptingSite, bounded_handler

if TYPE_CHECKING:
    from wslink.http.handoff import HandoffListener

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that HTTP requests under way have to end when the server stops."""
MAX_CLIENTS = 10_000
"""WebSockets at a time, where nobody says how many."""
CROWDED = 0.5
"""The share of the connections from which on none is kept for another request."""
MAX_OTHERS = 256
"""Connections beside those: requests for files, and those that have not sent a request yet."""


class Site:
    """Serves an application on every address of a host, and the connections that a launcher hands over to it, where
    WSLINK_HANDOFF names a directory for that.

    A connection has 10 s to send a request's head of less than 16 KiB. Where more than `max_clients` and some are
    open, the one that has waited longest without sending a request makes room, or one that does not read a response.

    Args:
        tls: for TLS.
        transparent: middlewares of the application that do nothing to a WebSocket.
        max_clients: how many WebSockets the application accepts.
        logger: what aiohttp logs to; its own unless given.

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
        max_clients: int = MAX_CLIENTS,
        logger: logging.Logger | None = None,
    ) -> None:
        self.runner: _Runner | None = None
        self.sites: list[web.SockSite] = []
        self._application = application
        self._address = host, port
        self._tls = tls
        self._transparent = transparent
        self._options: dict[str, Any] = {"logger": logger} if logger is not None else {}
        self._connections = Connections(max_clients + MAX_OTHERS)
        self._arrivals: Arrivals | None = None
        self._unread = Unread(lambda: self.runner.handlers if self.runner is not None else ())
        self._handoff: HandoffListener | None = None
        self._opening: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def addresses(self) -> list[Any]:
        """Where it listens, once it has started."""
        return self.runner.addresses if self.runner is not None else []

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
        _asyncio.addFilter(_is_no_chatter)
        if self._stopped:
            for one in sockets:
                one.close()
            raise OSError(errno.ECANCELED, "the server was stopped before its port was open")
        self.runner = runner = _Runner(
            self._application, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT, **HANDLER_OPTIONS, **self._options
        )
        self._arrivals = arrivals = Arrivals(runner.serve, self._application, self._transparent)
        self._application[ARRIVALS] = arrivals
        self._application.on_response_prepare.append(self._keep_few)
        self._connections.evictors += (arrivals.evict, self._unread.evict)
        directory = environment.read("WSLINK_HANDOFF", str, "") if self._tls is None else ""
        if directory:
            from wslink.http.handoff import answer_once, listen_for_handoffs

            self._application.on_response_prepare.append(answer_once)
        await runner.setup()
        runner.arrivals = arrivals
        for one in sockets:
            self.sites.append(self._site(runner, one))
            await self.sites[-1].start()
        if directory:
            self._handoff = listen_for_handoffs(runner, directory, int(sockets[0].getsockname()[1]))

    async def _keep_few(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Keep no connection for another request while others need its place: one that has sent a request before gives
        way to none."""
        if response.status != 101 and len(self._connections) >= CROWDED * self._connections.limit:
            response.force_close()
            self._unread.look()

    def _site(self, runner: _Runner, listener: socket.socket) -> web.SockSite:
        if not _has_readers():
            return web.SockSite(runner, listener, ssl_context=self._tls)
        return AcceptingSite(
            runner, listener, accept=lambda: Acceptor(listener, runner.server, self._connections, self._tls)
        )

    async def stop_listening(self) -> None:
        """Accept no more connections; those that there are go on."""
        sites, self.sites = self.sites, []
        for site in sites:
            await site.stop()

    async def stop(self) -> None:
        """Free the port, and end what is under way, a start included."""
        self._stopped = True
        if self._opening is not None:
            await asyncio.wait({self._opening})
            self._opening.cancelled() or self._opening.exception()  # `start` raises it
        if self._handoff is not None:
            self._handoff.stop()
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
        assert self.arrivals is not None
        return bounded_handler(server, self.arrivals.refuse)

    @property
    def server(self) -> Any:
        return self.arrivals or super().server

    @property
    def handlers(self) -> Iterable[object]:
        """What serves the connections that aiohttp carries."""
        server = super().server
        return server.connections if server is not None else ()


_asyncio = logging.getLogger("asyncio")


def _is_no_chatter(record: logging.LogRecord) -> bool:
    """What asyncio says of each write to a client that has gone, until it has told us of that in its next turn."""
    return record.msg != "socket.send() raised exception."


def _has_readers() -> bool:
    """Whether the event loop watches sockets; Windows' does not by default."""
    loop = asyncio.get_running_loop()
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader
