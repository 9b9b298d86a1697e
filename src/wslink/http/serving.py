"""aiohttp behind a site's sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from wslink.http.acceptor import Connections
from wslink.http.fast_path import Adopter, Arrivals
from wslink.http.middlewares import is_transparent
from wslink.http.requests_log import requests_logger
from wslink.http.unread import Unread
from wslink.transport.private import HANDLER_OPTIONS, ListeningSite, bounded_handler

SHUTDOWN_TIMEOUT = 2.0
"""Seconds that HTTP requests under way have to end when the server stops."""
CROWDED = 0.5
"""The share of the connections from which on none is kept for another request."""

_PLAIN = (web.PlainResource, web.DynamicResource, web.StaticResource)


class Serving:
    """Serves an application over the connections of a site.

    Args:
        application: the application.
        arrivals: creates the protocols of connections.
        connections: the open connections.
        listeners: the listening sockets, and what accepts on each.
        handed_over: whether connections come from a launcher, too, which are for one request each.

    Attributes:
        runner: aiohttp's runner.
        sites: aiohttp's sites, one per address.
    """

    def __init__(
        self,
        application: web.Application,
        arrivals: Arrivals,
        connections: Connections,
        listeners: Iterable[tuple[socket.socket, Any]],
        handed_over: bool = False,
    ) -> None:
        self.sites: list[web.SockSite] = []
        self._application = application
        self._arrivals = arrivals
        self._connections = connections
        self._unread = Unread(lambda: self.runner.handlers)
        connections.evictors.append(self._unread.evict)
        application[SERVING] = self
        application.on_response_prepare.append(self._keep_few)
        if handed_over:
            from wslink.http.handoff import answer_once

            application.on_response_prepare.append(answer_once)
        self.runner: _Runner = _Runner(
            application,
            logger=requests_logger(),
            access_log=None,
            shutdown_timeout=SHUTDOWN_TIMEOUT,
            **HANDLER_OPTIONS,
        )
        self.runner.arrivals = arrivals
        for listener, server in listeners:
            self.listens(listener, server)

    def listens(self, listener: socket.socket, server: Any) -> None:
        """`server` accepts connections on `listener`."""
        self.sites.append(ListeningSite(self.runner, listener, server))

    def freeze(self) -> None:
        """Prevent further routes from being added to the application."""
        self._application.freeze()

    async def start(self) -> None:
        """Start the application."""
        await self.runner.setup()

    def protocol(self) -> asyncio.Protocol:
        """aiohttp's protocol for a connection."""
        return bounded_handler(self.runner.its_server, self._arrivals.refuse)

    def learn(self, request: web.Request, endpoint: Adopter) -> None:
        """aiohttp routed `request` to `endpoint`, so that further requests for the same path may bypass it. Other
        spellings of the path do not, since clients can make up any number of them. Nor does anything if the application
        has middlewares, or routes by more than the path."""
        resource, path = request.match_info.route.resource, request.raw_path.partition("?")[0]
        if request.app is self._application and type(resource) is web.PlainResource and path == resource.canonical:
            resources = self._application.router.resources()
            if all(map(is_transparent, self._application.middlewares)) and all(
                isinstance(one, _PLAIN) for one in resources
            ):
                self._arrivals.know(path, endpoint)

    async def _keep_few(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Do not keep connections alive while others need their places: a connection that has already sent a request
        would not be evicted."""
        if response.status != 101 and len(self._connections) >= CROWDED * self._connections.limit:
            response.force_close()
            self._unread.look()

    async def stop_listening(self) -> None:
        """Forget the listening sockets."""
        sites, self.sites = self.sites, []
        for site in sites:
            await site.stop()

    async def stop(self) -> None:
        """End running requests."""
        await self.runner.cleanup()


class _Runner(web.AppRunner):
    """Serves connections with `arrivals`, if a site has set it."""

    arrivals: Arrivals | None = None

    @property
    def its_server(self) -> web.Server:
        """aiohttp's server, once it has started."""
        server = super().server
        assert server is not None
        return server

    @property
    def handlers(self) -> Iterable[object]:
        """The protocols of the connections that aiohttp carries."""
        server = super().server
        return server.connections if server is not None else ()

    @property
    def server(self) -> Any:
        return self.arrivals or super().server


SERVING: web.AppKey[Serving] = web.AppKey("serving", Serving)
"""Where an application holds what serves it."""
