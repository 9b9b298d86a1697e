"""Server: serves a hub on a port, or over a connection to a relay."""

from __future__ import annotations

import ipaddress
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote

from wslink import settings as environment
from wslink.hosts import is_loopback
from wslink.http.endpoint import Endpoint, EndpointOptions
from wslink.http.site import WARM_UP, Site, is_plain
from wslink.http.static import StaticFiles
from wslink.hub.hub import Hub
from wslink.hub.life import Life, announce
from wslink.server import loop, paths
from wslink.server.observing import Observing
from wslink.server.options import Options

if TYPE_CHECKING:
    import ssl

    from aiohttp import web

    from wslink.http.reverse import ReverseConnection


class Server:
    """Serves a hub. Created by `App.serve`. As an async context manager, it stops on exit.

    Attributes:
        port: the port that it listens on; 0 if it connects to a relay instead.
        url: the address of its page, including the secret if the page needs it; the relay's address if it connects to
            one.
    """

    def __init__(
        self, hub: Hub, options: Options, secret_in_url: str | None = None, observing: Observing | None = None
    ) -> None:
        self.port: int = options.port
        self._hub = hub
        self._options = options
        self._secret_in_url = secret_in_url
        self._observing = observing or Observing(hub)
        self._site: Site | None = None
        self._reverse: ReverseConnection | None = None
        self._life = Life(self.stop, options.timeout)

    @property
    def url(self) -> str:
        if self._options.reverse_url:
            # Without the path, which may be the credential of a relay's session.
            return _origin(self._options.reverse_url)
        scheme = "https" if self._options.ssl else "http"
        host = _reachable(self._options.host)
        query = f"?secret={quote(self._secret_in_url)}" if self._secret_in_url else ""
        return f"{scheme}://{host}:{self.port}/{query}"

    @property
    def stopped(self) -> bool:
        return self._life.ended

    async def start(self) -> None:
        """Listen, or connect to the relay. Returns once the server accepts connections or the relay has accepted it.

        Raises:
            OSError: the address cannot be bound, or the relay refuses the connection.
            UsageError: a setting is not valid.
        """
        options = self._options
        if options.application_thread:
            self._life.serve_in_thread(lambda: loop.make(options.loop), [self._hub], options.stop_timeout)
        if options.handle_signals:
            self._life.handle_signals()
        try:
            await self._life.run(self._open())
        except BaseException as error:
            signalled = self._life.ending
            await self.stop()
            if signalled and isinstance(error, OSError):
                return
            raise
        if self._life.ending:  # a signal arrived while connecting
            await self.stop()
            return
        announce(options.ready_msg)

    async def _open(self) -> None:
        """Open the server on the event loop that serves clients."""
        self._hub.start()
        if self._hub.cluster is not None:
            await self._hub.cluster.ready()
        await (self._dial() if self._options.reverse_url else self._listen())
        if not self._life.ending:
            self._life.begin([self._hub])

    async def _listen(self) -> None:
        options = self._options
        paths.check(options)
        headers = environment.read_headers(options.http_headers)
        directories = [
            (route, StaticFiles(directory, headers, options.follow_symlinks))
            for route, directory in paths.directories(options)
        ]
        route = paths.socket_route(options)
        endpoint = (route, self._endpoint()) if route is not None else None
        claimed = [*(route for route, _ in directories), *([route] if route is not None else [])]
        hosts = environment.split_names(options.hosts)

        def application() -> web.Application:
            from wslink.server import routes

            return routes.make(endpoint, self._observing, headers, directories, hosts)

        self._site = Site(
            application,
            options.host,
            options.port,
            _tls(options.ssl, options.host),
            max_clients=self._hub.limits.max_clients,
            endpoints=dict([endpoint] if endpoint else []) if all(map(is_plain, claimed)) else None,
            warm_up=WARM_UP if directories else None,
        )
        self.port = await self._site.start()

    async def _dial(self) -> None:
        options = self._options
        self.port = 0
        from wslink.http.reverse import ReverseConnection

        self._reverse = ReverseConnection(
            self._hub, options.reverse_url, options.heart_beat, token_file=options.reverse_token_file
        )
        await self._reverse.start()

    def stop_soon(self) -> None:
        """Begin to stop. Call it on the event loop's thread or the application's; safe to call more than once."""
        self._life.stop_soon()

    async def stop(self) -> None:
        """Disconnect every client with code 1001, end running calls and free the port. Safe to call more than once."""
        await self._life.end(self._shut_down)

    async def wait_closed(self) -> None:
        """Wait until the server has stopped."""
        await self._life.wait_ended()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _shut_down(self) -> None:
        if self._site is not None and self._hub.cluster is not None:
            await self._site.stop_listening()  # so that clients reconnect to other workers
        await self._hub.stop(self._options.stop_timeout)
        if self._reverse is not None:
            await self._reverse.close()
        if self._site is not None:
            await self._site.stop()
        self._hub.reopen()

    # HTTP -------------------------------------------------------------------

    def _endpoint(self) -> Endpoint:
        options = self._options
        origins = environment.split_origins(options.origins)
        hosts = environment.split_names(options.hosts)
        guarded = self._secret_in_url is None and is_loopback(options.host)
        return Endpoint(
            self._hub,
            EndpointOptions(
                origins,
                options.heart_beat,
                options.ws_compress,
                options.engine,
                hosts=hosts,
                guarded=lambda: guarded,
            ),
        )


def _tls(setting: str, host: str) -> ssl.SSLContext | None:
    """Raises UsageError, like `tls.ssl_context`."""
    if not setting:
        return None
    from wslink.http.tls import ssl_context

    return ssl_context(setting, host)


def _origin(url: str) -> str:
    """Return `url` without its path and without anything secret."""
    from yarl import URL

    return str(URL(url).origin())


def _reachable(host: str) -> str:
    """Return the host name that a browser on this machine uses for a host that the server listens on."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host or "localhost"
    if address.version == 4:
        return "localhost" if address.is_unspecified else host
    # A socket on "::" accepts no IPv4 here, and "localhost" may resolve to 127.0.0.1.
    return "[::1]" if address.is_unspecified else f"[{host.replace('%', '%25')}]"
