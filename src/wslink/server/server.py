"""A running server: its port, its life, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from aiohttp import web

from wslink.backends.aiohttp.endpoint import Endpoint, EndpointOptions
from wslink.errors import UsageError
from wslink.hub.hub import Hub
from wslink.server.listen import listening_sockets
from wslink.server.options import Options
from wslink.server.static import StaticFiles, read_headers
from wslink.server.tls import ssl_context

logger = logging.getLogger("wslink")

CLIENT = Path(__file__).parent.parent / "static"
"""The folder of the JavaScript client that matches this server."""
SHUTDOWN_TIMEOUT = 2.0
"""Seconds that HTTP requests under way have to end when the server stops."""


class Server:
    """Serves a hub. Made by `App.serve`; usable as an async context manager, which stops it.

    Attributes:
        port: the port it listens on.
        url: the address of its page, with the secret if the page needs it.
    """

    def __init__(self, hub: Hub, options: Options, secret_in_url: str | None = None) -> None:
        self.port = options.port
        self._hub = hub
        self._options = options
        self._secret_in_url = secret_in_url
        self._runner: web.AppRunner | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._signals: list[signal.Signals] = []
        self._stopping: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    @property
    def url(self) -> str:
        scheme = "https" if self._options.ssl else "http"
        host = {"0.0.0.0": "localhost", "::": "localhost", "": "localhost"}.get(self._options.host, self._options.host)  # noqa: S104
        query = f"?secret={quote(self._secret_in_url)}" if self._secret_in_url else ""
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/{query}"

    @property
    def stopped(self) -> bool:
        return self._closed.is_set()

    async def start(self) -> None:
        """Listen. Returns once the port accepts.

        Raises:
            OSError: if the address cannot be had.
            UsageError: for settings that cannot be followed.
        """
        tls = ssl_context(self._options.ssl, self._options.host)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT)
        sockets = listening_sockets(self._options.host, self._options.port)
        self._hub.start()
        await runner.setup()
        for one in sockets:
            await web.SockSite(runner, one, ssl_context=tls).start()
        self._runner = runner
        self.port = sockets[0].getsockname()[1]
        self._watch_idle()
        self._handle_signals()
        if self._options.ready_msg:
            sys.stdout.write(f"{self._options.ready_msg}\n")
            sys.stdout.flush()

    def stop_soon(self) -> None:
        """Begin to stop. From the event loop's thread; safe to call more than once."""
        if self._stopping is None:
            self._stopping = asyncio.get_running_loop().create_task(self._stop())

    async def stop(self) -> None:
        """Disconnect every client with 1001, end calls under way and free the port. Safe to call more than once."""
        self.stop_soon()
        assert self._stopping is not None
        await asyncio.shield(self._stopping)

    async def wait_closed(self) -> None:
        """Wait until it has stopped."""
        await self._closed.wait()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _stop(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.remove_signal_handler(number)
        self._hub.on_connect.remove(self._client_came)
        self._hub.on_disconnect.remove(self._client_went)
        await self._hub.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        self._closed.set()

    # HTTP -------------------------------------------------------------------

    def _application(self) -> web.Application:
        options = self._options
        application = web.Application()
        if options.ws_endpoint:
            self._endpoint().add_to(application, "/" + options.ws.strip("/"))
        headers = read_headers(options.http_headers)
        for route, folder in self._folders():
            files = StaticFiles(folder, headers, options.follow_symlinks or folder == str(CLIENT))
            application.router.add_get(f"{route.rstrip('/')}/{{path:.*}}", files.handle)
        return application

    def _endpoint(self) -> Endpoint:
        options = self._options
        origins = tuple(origin.strip() for origin in options.origins.split(",") if origin.strip())
        return Endpoint(self._hub, EndpointOptions(origins, options.heart_beat, options.ws_compress, options.engine))

    def _folders(self) -> list[tuple[str, str]]:
        """Routes and folders of static files, the more specific first."""
        folders = [("/wslink", str(CLIENT))] if CLIENT.is_dir() else []
        for pair in filter(None, self._options.fs_endpoints.split("|")):
            route, separator, folder = pair.partition("=")
            if not separator:
                raise UsageError(f"fs_endpoints: {pair!r} is not of the form route=FOLDER")
            folders.append(("/" + route.strip("/"), folder))
        if self._options.content:
            folders.append(("", self._options.content))
        return folders

    # Life -------------------------------------------------------------------

    def _watch_idle(self) -> None:
        self._hub.on_connect.append(self._client_came)
        self._hub.on_disconnect.append(self._client_went)
        self._client_went("")

    def _client_came(self, client_id: str) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _client_went(self, client_id: str) -> None:
        if self._options.timeout > 0 and not self._hub.sessions and self._idle_timer is None and self._stopping is None:
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._options.timeout, self._idle)

    def _idle(self) -> None:
        logger.info("no client for %g s: the server stops", self._options.timeout)
        self.stop_soon()

    def _handle_signals(self) -> None:
        if not self._options.handle_signals:
            return
        loop = asyncio.get_running_loop()
        # Not on Windows, and not outside of the main thread: there the application's own handling stays.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, self.stop_soon)
                self._signals.append(number)
