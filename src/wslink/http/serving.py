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
        application: what to serve.
        arrivals: makes the protocols of connections.
        connections: those that are open.
        listeners: the sockets that listen, and what accepts on each.
        handed_over: whether connections come from a launcher, too, which are for one request each.

    Attributes:
        runner: aiohttp's.
        sites: aiohttp's, one per address.
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
        """Let the application take no more routes."""
        self._application.freeze()

    async def start(self) -> None:
        """Start the application."""
        await self.runner.setup()

    def protocol(self) -> asyncio.Protocol:
        """aiohttp's protocol for a connection."""
        return bounded_handler(self.runner.its_server, self._arrivals.refuse)

    def learn(self, request: web.Request, endpoint: Adopter) -> None:
        """aiohttp led `request` to `endpoint`; others for the same path need not go through it. Other spellings of the
        path do: clients can make up any number of them. So do all where the application has middlewares, or chooses by
        more than the path."""
        resource, path = request.match_info.route.resource, request.raw_path.partition("?")[0]
        if request.app is self._application and type(resource) is web.PlainResource and path == resource.canonical:
            resources = self._application.router.resources()
            if all(map(is_transparent, self._application.middlewares)) and all(
                isinstance(one, _PLAIN) for one in resources
            ):
                self._arrivals.know(path, endpoint)

    async def _keep_few(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Keep no connection for another request while others need its place: one that has sent a request before gives
        way to none."""
        if response.status != 101 and len(self._connections) >= CROWDED * self._connections.limit:
            response.force_close()
            self._unread.look()

    async def stop_listening(self) -> None:
        """Forget the sockets that listen."""
        sites, self.sites = self.sites, []
        for site in sites:
            await site.stop()

    async def stop(self) -> None:
        """End what is under way."""
        await self.runner.cleanup()


class _Runner(web.AppRunner):
    """Serves connections by `arrivals`, where a site has set it."""

    arrivals: Arrivals | None = None

    @property
    def its_server(self) -> web.Server:
        """aiohttp's, once it has started."""
        server = super().server
        assert server is not None
        return server

    @property
    def handlers(self) -> Iterable[object]:
        """What serves the connections that aiohttp carries."""
        server = super().server
        return server.connections if server is not None else ()

    @property
    def server(self) -> Any:
        return self.arrivals or super().server


SERVING: web.AppKey[Serving] = web.AppKey("serving", Serving)
"""Where an application holds what serves it."""
