"""The released API's server on aiohttp."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wslink import settings as environment
from wslink.compat import aiohttp as settings
from wslink.compat.hosting import has_known_secret
from wslink.compat.protocol import AbstractWebApp, WslinkHandler
from wslink.compat.websocket import ServerProtocol
from wslink.hosts import is_loopback
from wslink.http import origin
from wslink.http.endpoint import Endpoint, EndpointOptions
from wslink.http.site import WARM_UP, Site, is_plain
from wslink.hub.hub import Hub
from wslink.hub.life import announce
from wslink.server.limits import limits_with

if TYPE_CHECKING:
    from aiohttp import web

logger: logging.Logger = logging.getLogger("wslink.backends.aiohttp")


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


class WebAppServer(AbstractWebApp):
    """A server of WebSocket endpoints, static files and an application's own routes.

    Until it starts, routes may be added to `app`, which take precedence over static files. If `app` has not been
    accessed by then, it is not created before the first request that is not a WebSocket.
    """

    def __init__(self, server_config: dict[str, Any]) -> None:
        super().__init__(server_config)
        settings.reload_settings()
        self.ws_compress: bool = bool(server_config.get("ws_compress", settings.WS_COMPRESS))
        self._site: Site | None = None
        self._port = self.port
        self._making = threading.Lock()
        self._static: list[tuple[str, str]] = []  # prefixes and directories, once it starts
        self._ws_handlers: list[AioHttpWsHandler] = []
        self._endpoints: list[tuple[str, Endpoint]] = []
        for route, protocol in (server_config.get("ws") or {}).items():
            if _fix_path(route) in dict(self._endpoints):
                raise RuntimeError(f"two protocols have the route {_fix_path(route)}")
            handler = AioHttpWsHandler(protocol, self)
            self._ws_handlers.append(handler)
            self._endpoints.append((_fix_path(route), handler.endpoint))

    @property
    def app(self) -> Any:
        """The aiohttp application."""
        if self._app is None:
            self._made_app()
            if self._site is not None:  # it serves already, and takes no more routes
                self._site.serving.freeze()
        return self._app

    def get_app(self) -> Any:
        return self.app

    def _made_app(self) -> web.Application:
        with self._making:
            if self._app is None:
                from wslink.compat import webpages

                app = webpages.make(self._endpoints)
                webpages.add_static(app, self._static, self._follows_symlinks())
                self.set_app(app)
            made: web.Application = self._app
            return made

    @property
    def runner(self) -> web.AppRunner | None:
        """aiohttp's runner, once it has started."""
        return self._site.serving.runner if self._site is not None else None

    @property
    def site(self) -> web.SockSite | None:
        """aiohttp's first site, once it has started."""
        return next(iter(self._site.serving.sites), None) if self._site is not None else None

    def get_port(self) -> int:
        """The port that it listens on, or has listened on; before that, the port of the configuration."""
        return self._port

    async def start(self, port_callback: Any = None) -> None:
        """Serve until it stops.

        Args:
            port_callback: called with the port once it accepts connections.

        Raises:
            OSError: the port cannot be bound.
            ValueError: a directory for static files does not exist.
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
        self._find_static()
        await self._life.run(self._open(hubs))

    async def _open(self, hubs: set[Hub]) -> None:
        """Open the server on the event loop that serves clients."""
        untouched = self._app is None and all(is_plain(path) for path, _ in [*self._endpoints, *self._static])
        wanted = any(hub.wants_requests() for hub in hubs)
        self._site = Site(
            self._made_app, self.host, self.port, self.ssl_context,
            max_clients=sum(handler.hub.limits.max_clients for handler in self._ws_handlers),
            endpoints=dict(reversed(self._endpoints)) if untouched else None,
            warm_up=0.0 if wanted else WARM_UP if self._static else None,
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

    def _find_static(self) -> None:
        """The longest prefix first. Raises ValueError for a directory that does not exist."""
        static = self.config.get("static") or {}
        if static and self._endpoints and self._endpoints[-1][0] == "/":  # aiohttp refuses it, but at the first request
            raise RuntimeError("ws and static both claim the path /")
        self._static = [
            (_fix_path(route).rstrip("/"), str(_directory(static[route])))
            for route in sorted(static, key=len, reverse=True)
        ]
        if self._app is not None:
            from wslink.compat import webpages

            webpages.add_static(self._app, self._static, self._follows_symlinks())

    def _follows_symlinks(self) -> bool:
        follow = self.config.get("static_follow_symlinks") or environment.read("WSLINK_FOLLOW_SYMLINKS", bool, False)
        return bool(follow)


def _directory(name: str) -> Path:
    """A directory, wherever the process goes later. Raises ValueError, as aiohttp, if there is none."""
    try:
        if not str(name):
            raise FileNotFoundError
        directory = Path(name).expanduser().resolve(strict=True)
    except FileNotFoundError as error:
        raise ValueError(f"'{name}' does not exist") from error
    if not directory.is_dir():
        raise ValueError(f"'{directory}' is not a directory")
    return directory


def _fix_path(route: str) -> str:
    return route if route.startswith("/") else f"/{route}"
