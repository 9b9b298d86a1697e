"""The session proxy: `/<endpoint>/session/<id>/...` leads to the session, over HTTP and WebSocket, so that no mapping
in a web server is needed.

Access requires the session's token, as the first segment of the path (`${token}` in `sessionURL`) or as a cookie that
the response to the POST sets. A token gives access to its own session only.

A `sessionURL` with the session in its query (`/proxy?sessionId=${id}&path=ws`), as released launchers use it behind
Apache's RewriteMap, is served like Apache does: the id, which cannot be guessed, gives access to the session's
WebSocket.

A session that supports fd passing (proxy/fd_passing.py) receives the WebSocket's connection itself, and no byte passes
through here after the request. For others, the bytes are forwarded.
"""

from __future__ import annotations

import logging
import re
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from multidict import CIMultiDict

from wslink.http import origin
from wslink.http.tokens import same
from wslink.launcher.addresses import Prefix, cookie_of
from wslink.launcher.carrying import Carrier
from wslink.launcher.forwarding import COOKIE, Forwarding
from wslink.launcher.launcher import Launcher
from wslink.launcher.listeners import ForeignListener
from wslink.launcher.readiness import dial_address
from wslink.launcher.session import Session
from wslink.proxy.fd_passing import Usage
from wslink.proxy.handoff import follow, pass_connection
from wslink.proxy.takeover import ConnectionPassed
from wslink.proxy.upstream import Target, TunnelObserver, request_head, tunnel

logger: logging.Logger = logging.getLogger("wslink.launcher")


class SessionProxy:
    """Forwards requests to sessions.

    Args:
        launcher: the launcher.
        origins: origins that may connect in addition to the launcher's own.
        forwarding: creates the headers for sessions.
    """

    def __init__(self, launcher: Launcher, origins: Iterable[str], forwarding: Forwarding) -> None:
        self._launcher = launcher
        self.change(origins, forwarding)
        self._carrier = Carrier()
        self._usages: weakref.WeakSet[Usage] = weakref.WeakSet()
        self._route = f"{launcher.configuration.endpoint}/session"
        self._mapped = mapped_path(launcher.configuration.settings.session_url)
        self._public = public_path(launcher.configuration.settings.session_url, self._route)

    def change(self, origins: Iterable[str], forwarding: Forwarding) -> None:
        """Use other settings from now on. Existing connections are not affected."""
        self._origins = tuple(origins)
        self._forwarding = forwarding

    def add_to(self, application: web.Application) -> None:
        application.router.add_route("*", f"{self._route}/{{id:[^/]+}}", self._add_slash)
        application.router.add_route("*", f"{self._route}/{{id}}/{{path:.*}}", self._handle)
        if self._mapped:
            application.router.add_get(self._mapped, self._handle_mapped)
        self._launcher.on_found.append(self._find_connections)
        application.on_cleanup.append(self._clean_up)

    def set_cookie(self, response: web.Response, session: Session, request: web.Request) -> None:
        """Give the browser that started a session access without the token in the address.

        The cookie's path is the one that the launcher sees. Behind a proxy that serves it below another path, the
        address has to contain the token.
        """
        secure = request.headers.get("X-Forwarded-Proto", request.scheme) == "https"
        response.set_cookie(
            COOKIE,
            session.values["token"],
            path=f"{self._route}/{session.id}/",
            httponly=True,
            secure=secure,
            samesite="Strict",
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        session = self._launcher.get(request.match_info["id"])
        inner = None if session is None else self._inner(request, session)
        if session is None or inner is None:
            return _none()
        if not inner.path:
            return await self._add_slash(request)
        return await self._lead(request, session, inner)

    async def _add_slash(self, request: web.Request) -> web.StreamResponse:
        """Redirect to the address with a slash after the id or the token, relative to which a page finds its files.
        This does not reveal whether there is such a session. The redirect is relative, so that it is right below any
        path of a proxy, and never the scheme of another address (`https:evil.example`)."""
        path, mark, query = request.raw_path.partition("?")
        location = f"./{path.rpartition('/')[2]}/{mark}{query}"
        return web.Response(status=307, headers={"Location": location, "Cache-Control": "no-store"})

    async def _handle_mapped(self, request: web.Request) -> web.StreamResponse:
        session = self._launcher.get(asked_id(request))
        path = _asked(request, "path")
        if session is None or not _INNER.fullmatch(path) or not is_websocket(request):
            return _none()
        return await self._lead(request, session, Inner(f"/{path}", "/"))

    async def _lead(self, request: web.Request, session: Session, inner: Inner) -> web.StreamResponse:
        if not origin.is_allowed(request.headers, self._origins):
            return web.json_response({"error": "Pages of this origin may not connect"}, status=403)
        try:
            assert session.spawner is not None
            address = await dial_address(session.spawner)
        except (ForeignListener, OSError) as error:
            logger.warning("session %s cannot be reached: %s", session.label, error or "its port is another user's")
            return web.json_response({"error": "The session cannot be reached"}, status=502)
        target = Target(address, session.address[1], inner.path)
        session.used = time.monotonic()
        try:
            headers = self._forwarding.headers(request, target)
            head = request_head(target, headers)
        except ValueError as error:
            return web.json_response({"error": f"The request cannot be passed on: {error}"}, status=400)
        if is_websocket(request):
            return await self._connect(request, session, target, headers, head)
        return await self._carrier.carry(request, target, headers, self._prefix(target, headers, inner).rewrite)

    async def _connect(
        self, request: web.Request, session: Session, target: Target, headers: CIMultiDict[str], head: bytes
    ) -> web.StreamResponse:
        if session.handoff_socket and await pass_connection(
            request, session.handoff_socket, head, self._usage(session)
        ):
            return ConnectionPassed()
        observer = TunnelObserver(lambda _: self._count(session, 1), lambda _: self._count(session, -1))
        return await tunnel(request, target, headers, observer)

    def _inner(self, request: web.Request, session: Session) -> Inner | None:
        """The part of the session that a request asks for; None if it does not have the token."""
        prefix = f"{self._route}/{request.match_info['id']}/"
        _, found, rest = request.raw_path.partition(prefix)
        if not found:  # the id was encoded, unlike in any of our addresses
            return None
        first, slash, inner = rest.partition("/")
        first, _, _ = first.partition("?")
        token = session.values["token"]
        if same(first, token):
            return Inner(f"{slash}{inner}", f"{prefix}{token}/")
        cookie = cookie_of(request.headers.getall("Cookie", ()), COOKIE)
        return Inner(f"/{rest}", prefix) if same(cookie, token) else None

    def _count(self, session: Session, change: int) -> None:
        session.connections += change
        session.used = time.monotonic()

    def _usage(self, session: Session) -> Usage:
        usage = Usage(lambda change: self._count(session, change))
        self._usages.add(usage)
        return usage

    async def _find_connections(self, session: Session) -> None:
        """Count the connections that a session received from another launcher."""
        if session.handoff_socket:
            await follow(session.handoff_socket, self._usage(session))

    def _prefix(self, target: Target, headers: CIMultiDict[str], inner: Inner) -> Prefix:
        """Where a session is served, for the addresses in its responses."""
        hosts = target.netloc.lower(), headers["X-Forwarded-Host"].lower(), f"localhost:{target.port}"
        return Prefix(inner.prefix, f"{self._public}{inner.prefix}", inner.path, hosts)

    async def _clean_up(self, application: web.Application) -> None:
        for usage in self._usages:
            usage.close()
        await self._carrier.close()


@dataclass(frozen=True)
class Inner:
    """The part of a session that a request asks for.

    Attributes:
        path: the session's own path and query, encoded, with a leading slash; empty if that slash is missing.
        prefix: the preceding part of the launcher's path, with a trailing slash.
    """

    path: str
    prefix: str


_INNER = re.compile(r"[\w/-]+", re.ASCII)
"""A path that may be asked for in the query; that of the documented RewriteRule."""


def mapped_path(session_url: str) -> str:
    """The path of a `sessionURL` with the session only in its query; empty for any other."""
    parts = urlsplit(session_url)
    asked = {name.lower() for name, value in parse_qsl(parts.query) if value in ("${id}", "$id")}
    return parts.path if asked == {"sessionid"} and "$" not in parts.path and len(parts.path) > 1 else ""


def public_path(session_url: str, route: str) -> str:
    """The path that a web server in front adds to the launcher's, according to a `sessionURL`; "" for none."""
    before, found, _ = urlsplit(session_url).path.partition(f"{route}/")
    return before if found and "$" not in before else ""


def asked_id(request: web.Request) -> str:
    """The id in the query of a request, as in a `sessionURL` of released launchers; "" for none."""
    return _asked(request, "sessionid")


def _asked(request: web.Request, key: str) -> str:
    # Ignoring case: existing clients convert the whole address to lower case.
    return {name.lower(): value for name, value in request.query.items()}.get(key, "")


def is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _none() -> web.Response:
    """The same response for every reason, so that it does not reveal which ids exist."""
    return web.json_response({"error": "No such session"}, status=404)
