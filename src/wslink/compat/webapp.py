"""The released API's server on aiohttp."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from wslink import settings as environment
from wslink.compat import aiohttp as settings
from wslink.compat.hosting import has_known_secret
from wslink.compat.protocol import AbstractWebApp, WslinkHandler
from wslink.compat.websocket import ServerProtocol
from wslink.hosts import is_loopback
from wslink.http import origin
from wslink.http.endpoint import Endpoint, EndpointOptions
from wslink.http.site import Site
from wslink.http.static import PublicResource
from wslink.hub.hub import Hub
from wslink.hub.life import announce
from wslink.server.limits import limits_with

logger: logging.Logger = logging.getLogger("wslink.backends.aiohttp")

STATE_KEY: web.AppKey[dict[str, Any]] = web.AppKey("state", dict)
"""Where software may keep what belongs to a server: `server.app[STATE_KEY]`."""


aiohttp_web = web
"""Its name in released packages."""


class AioHttpWsHandler(WslinkHandler):
    """The WebSocket route of one protocol."""

    def __init__(self, protocol: ServerProtocol, web_app: WebAppServer) -> None:
        super().__init__(protocol, web_app, limits_with(settings.MAX_MSG_SIZE, settings.MSG_OVERHEAD))
        local = is_loopback(web_app.host)
        origins = environment.origins() + (origin.LOOPBACK_PAGES if local else ())
        engine = environment.read("WSLINK_ENGINE", str, "auto")
        hosts = environment.split_names(os.environ.get("WSLINK_HOSTS", ""))
        options = EndpointOptions(
            origins, settings.HEART_BEAT or 0, web_app.ws_compress, engine, logger.name, hosts,
            guarded=lambda: local and has_known_secret(protocol),
        )  # fmt: skip
        self.endpoint: Endpoint = Endpoint(self.hub, options, route=self)
        self.handleWsRequest: Callable[[web.Request], Awaitable[web.StreamResponse]] = self.endpoint.handler


@web.middleware
async def http_headers(request: web.Request, handler: Any) -> web.StreamResponse:
    """Give every response HTTP_HEADERS, where it has none of its own by these names."""
    response: web.StreamResponse = await handler(request)
    if isinstance(settings.HTTP_HEADERS, Mapping) and not response.prepared:
        for name, value in settings.HTTP_HEADERS.items():
            response.headers.setdefault(name, value)
    return response


class WebAppServer(AbstractWebApp):
    """A server of WebSocket endpoints, static files and an application's own routes.

    Until it starts, routes may be added to `app`: they win over static files.
    """

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        settings.reload_settings()
        self.ws_compress: bool = bool(server_config.get("ws_compress", settings.WS_COMPRESS))
        self._site: Site | None = None
        self._port = self.port
        application = web.Application(middlewares=[http_headers])
        application[STATE_KEY] = {}
        self.set_app(application)
        self._ws_handlers: list[AioHttpWsHandler] = []
        for route, protocol in (server_config.get("ws") or {}).items():
            handler = AioHttpWsHandler(protocol, self)
            self._ws_handlers.append(handler)
            handler.endpoint.add_to(application, _fix_path(route))

    @property
    def runner(self) -> web.AppRunner | None:
        """aiohttp's, once it has started."""
        return self._site.runner if self._site is not None else None

    @property
    def site(self) -> web.SockSite | None:
        """aiohttp's first, once it has started."""
        return self._site.sites[0] if self._site is not None and self._site.sites else None

    def get_port(self) -> int:
        """The port that it listens on, or has listened on; that of the configuration before."""
        return self._port

    async def start(self, port_callback: Any = None) -> None:
        """Serve until it stops.

        Args:
            port_callback: called with the port once it accepts.

        Raises:
            OSError: if the port cannot be had.
            ValueError: if there is no directory for static files.
        """
        if self._life.ending:
            return
        try:
            await self._listen()
            if port_callback is not None:
                port_callback(self._port)
            announce(os.environ.get("WSLINK_READY_MSG", environment.READY_MSG))
            await self._life.wait_ended()
        except BaseException as error:
            if self._life.ending and isinstance(error, OSError):  # it was stopped before the port was open
                await self._life.wait_ended()
                return
            await self._fail(error)
            raise

    async def _listen(self) -> None:
        hubs = {handler.hub for handler in self._ws_handlers}
        self._use_thread(hubs)
        if self.handle_signals:
            self._life.handle_signals()
        self._add_static_routes()
        await self._life.run(self._open(hubs))

    async def _open(self, hubs: set[Hub]) -> None:
        """On the event loop that serves clients."""
        self._site = Site(
            self.app, self.host, self.port, self.ssl_context, transparent=(http_headers,),
            max_clients=sum(handler.hub.limits.max_clients for handler in self._ws_handlers),
        )  # fmt: skip
        self._port = await self._site.start()
        self._life.begin(hubs)

    async def _fail(self, error: BaseException) -> None:
        if isinstance(error, OSError):
            logger.error("the server cannot start: %s", error)
        if isinstance(error, asyncio.CancelledError):
            await self._life.end(self._stop)
        else:
            self._conclude(error)
            await self._life.end(self._shut_down)

    async def _shut_down(self) -> None:
        await asyncio.gather(*(handler.disconnectClients() for handler in self._ws_handlers))
        if self._site is not None:
            await self._site.stop()
        for handler in self._ws_handlers:
            handler.hub.reopen()

    def _add_static_routes(self) -> None:
        """The longest first."""
        static = self.config.get("static") or {}
        follow = self.config.get("static_follow_symlinks") or environment.read("WSLINK_FOLLOW_SYMLINKS", bool, False)
        if static:
            self.app.router.add_get("/", _root_handler)
        for route in sorted(static, key=len, reverse=True):
            prefix = _fix_path(route).rstrip("/")
            self.app.router.register_resource(
                PublicResource(prefix, static[route], append_version=True, follow_symlinks=bool(follow))
            )


async def _root_handler(request: web.Request) -> web.StreamResponse:
    query = f"?{request.query_string}" if request.query_string else ""
    raise web.HTTPFound(f"index.html{query}")


def _fix_path(route: str) -> str:
    return route if route.startswith("/") else f"/{route}"
