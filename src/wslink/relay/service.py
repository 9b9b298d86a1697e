"""The relay over HTTP."""

from __future__ import annotations

import logging
import math
from urllib.parse import quote

from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from wslink.errors import UsageError
from wslink.hosts import is_loopback
from wslink.http import origin
from wslink.http.monitoring import HEALTH, METRICS, is_local_program
from wslink.http.run import add_pages
from wslink.http.sparse import sparse_logger
from wslink.http.tokens import bearer_token, same, token_file
from wslink.http.tries import Tries
from wslink.proxy.takeover import ConnectionPassed
from wslink.proxy.upstream import Target, forwarded, passed_on, tunnel
from wslink.relay.metrics import Metrics
from wslink.relay.options import Options
from wslink.relay.rooms import Role, Rooms
from wslink.relay.targets import LOOPBACK, parse_rule, resolve

logger: logging.Logger = logging.getLogger("wslink.relay")
refusals: logging.Logger = sparse_logger("wslink.relay.refused")

RETRY_INTERVAL = 0.25
"""Seconds between two attempts to reach a target."""


class Relay:
    """Carries WebSockets: `forward` connects to a target for each client, `relay` pairs the two peers at a path.

    Raises:
        UsageError: an option is not valid.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._rules = tuple(map(parse_rule, options.allow)) or LOOPBACK
        self._client_file = token_file("client-token-file", options.client_token_file)
        self._process_file = token_file("process-token-file", options.process_token_file)
        self._retries = (RETRY_INTERVAL,) * int(options.retry / RETRY_INTERVAL)
        self._rooms = Rooms(options.wait)
        self._tries = Tries()
        self._metrics = Metrics(self._rooms) if options.metrics else None

    def application(self) -> web.Application:
        """The aiohttp application. Raises UsageError."""
        self._check_route()
        application = web.Application()
        application.router.add_get(self._options.proxy_route, self.handle)
        application.router.add_get(HEALTH, self._health)
        if self._metrics is not None:
            application.router.add_get(METRICS, self._tell_metrics)
        if not self._options.www:
            application.router.add_get("/", _welcome)
        add_pages(application, self._options.www)
        application.on_shutdown.append(self._shut_down)
        return application

    def _check_route(self) -> None:
        """Raise UsageError if the route of the proxy is taken."""
        options = self._options
        owners = {HEALTH: "the health check"}
        if options.metrics:
            owners[METRICS] = "--metrics"
        if options.www:
            owners["/"] = "--www"
        if owner := owners.get(options.proxy_route):
            raise UsageError(f"--proxy-route: the path {options.proxy_route} is that of {owner}: choose another")

    async def _health(self, request: web.Request) -> web.StreamResponse:
        if "Upgrade" in request.headers:  # a proxy route without a first segment of its own
            return await self.handle(request)
        return web.json_response({"status": "ok"})

    async def _tell_metrics(self, request: web.Request) -> web.StreamResponse:
        if "Upgrade" in request.headers:
            return await self.handle(request)
        if self._metrics is None or not self._may_watch(request):
            raise web.HTTPNotFound
        return self._metrics.response()

    def _may_watch(self, request: web.Request) -> bool:
        """Whether a request comes directly from a program on this machine, or presents the process's token."""
        given, token = bearer_token(request), self._process_file.value
        if not given:
            return is_local_program(request.headers, request.remote)
        if self._tries.wait(request.remote or ""):
            return False
        if not same(given, token):
            self._tries.wrong(request.remote or "unknown")
            return False
        return True

    def reload(self) -> None:
        """Called at SIGHUP: read the token files again, if they have changed. Connections continue. Options need a
        restart."""
        for file in (self._client_file, self._process_file):
            _ = file.value  # tells in the log what is wrong with it
        logger.info("SIGHUP: token files were read again if they had changed; options need a restart")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Handle a request of the proxy route."""
        response = await self._answer(request)
        if self._metrics is not None:
            self._metrics.count(response, isinstance(response, ConnectionPassed))
        return response

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if not web.WebSocketResponse().can_prepare(request):
            return web.Response(status=426, text="This is a WebSocket relay.\n", headers={"Upgrade": "websocket"})
        if not self._may_connect(request):
            refusals.warning("a page of origin %.200s was refused: --origin allows it", request.headers.get("Origin"))
            return web.Response(status=403, text="Pages of this origin may not connect.\n")
        wait = self._tries.wait(request.remote or "")
        if wait and self._shown(request):
            headers = {"Retry-After": str(math.ceil(wait))}
            return web.Response(status=429, text="Too many wrong tokens came from this address.\n", headers=headers)
        role = self._role(request)
        if role is None:
            return self._unknown(request)
        if self._options.mode == "relay":
            proven = role is Role.PROCESS or (role is Role.CLIENT and bool(self._client_file.value))
            return await self._rooms.enter(request.path, role, request, proven)
        return await self._forward(request)

    def _may_connect(self, request: web.Request) -> bool:
        """Whether the requesting page may connect. On a loopback interface, the relay's own origin counts only with a
        loopback name or an address: any other name may belong to a foreign page and was made to resolve to this
        machine."""
        page, headers = request.headers.get("Origin"), request.headers
        if page is None or origin.is_listed(page, self._options.origins):
            return True
        known = not is_loopback(self._options.host) or origin.is_asked_by(headers, ())
        return known and origin.is_same_origin(headers)

    def _unknown(self, request: web.Request) -> web.StreamResponse:
        address = request.remote or "unknown"
        if self._shown(request):
            refusals.warning("a wrong token came from %s, of %d lately", address, self._tries.wrong(address))
        else:
            refusals.info("a peer without a token came from %s", address)
        return web.Response(status=401, text="A token is needed.\n")

    def _shown(self, request: web.Request) -> str:
        """The token that a peer presents."""
        return bearer_token(request) or request.query.get("token", "")

    def _role(self, request: web.Request) -> Role | None:
        """The role that a peer has proved; None if it is refused. A page is never the process."""
        given = self._shown(request)
        page = "Origin" in request.headers
        relays = self._options.mode == "relay"
        client_token, process_token = self._client_file.value, self._process_file.value
        if relays and not page and same(given, process_token):
            return Role.PROCESS
        if client_token and not same(given, client_token):
            return None if process_token or page or not relays else Role.PROCESS
        return Role.CLIENT if page or client_token or process_token else Role.UNKNOWN

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        wanted = request.match_info
        host, path = wanted.get("host", "localhost"), wanted.get("path", "ws")
        port = wanted.get("port", "1234")
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
            return web.Response(status=404, text="There is no such port.\n")
        try:
            address = await resolve(host, int(port), self._rules)
        except OSError:
            return web.Response(status=502, text="The target cannot be reached.\n")
        if address is None:
            refusals.warning("a client asked for %r, which is not allowed", f"{host}:{port}")
            return web.Response(status=403, text="This target is not allowed.\n")
        target = Target(address, int(port), f"/{quote(path, safe='/:@!$&,;=~')}{_query(request)}", self._retries)
        try:
            observer = self._metrics.tunnels if self._metrics is not None else None
            return await tunnel(request, target, self._headers(request, target), observer)
        except ValueError as error:
            return web.Response(status=400, text=f"The request cannot be passed on: {error}\n")

    def _headers(self, request: web.Request, target: Target) -> CIMultiDict[str]:
        headers = forwarded(request, target)
        for name, value in passed_on(request.headers).items():
            # The token was for the relay.
            if name not in headers and not (self._client_file.value and name.lower() == "authorization"):
                headers.add(name, value)
        return headers

    async def _shut_down(self, application: web.Application) -> None:
        self._rooms.close()


async def _welcome(request: web.Request) -> web.StreamResponse:
    raise web.HTTPNotFound(text="This is a wslink relay: it has no pages (--www), and passes on WebSockets.\n")


def _query(request: web.Request) -> str:
    """The query to pass on, without the relay's own token."""
    query = [(name, value) for name, value in request.query.items() if name != "token"]
    return f"?{URL.build(query=query).raw_query_string}" if query else ""
