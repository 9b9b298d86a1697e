"""The headers for a session: those of the client byte for byte, without the launcher's own and without what only a
trusted proxy may set."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from multidict import CIMultiDict

from wslink.launcher.addresses import SIGN_IN, without_cookie
from wslink.launcher.authentication import Network, is_in
from wslink.launcher.configuration import Settings
from wslink.proxy.upstream import Target, forwarded, passed_on

COOKIE = "wslink-session"
"""The cookie that holds a session's token."""
IDENTITY = frozenset(
    (
        *("remote-user", "x-remote-user", "x-remote-group", "x-remote-groups", "x-forwarded-user", "x-forwarded-email"),
        *("x-forwarded-groups", "x-forwarded-preferred-username", "x-forwarded-access-token", "x-auth-request-user"),
        *("x-auth-request-email", "x-auth-request-groups", "x-webauth-user", "x-authenticated-user", "x-user"),
        *("x-authentik-username", "remote-name", "remote-email", "remote-groups", "x-ssl-client-s-dn"),
    )
)
"""Headers in which proxies send a user's name. A session receives one only from a trusted proxy, and only if the
configuration names it."""

_ROUTE = ("forwarded", "x-real-ip", "via")
"""Headers by which proxies tell where a request comes from, beside `X-Forwarded-*`."""


class Forwarding:
    """Creates the headers for sessions.

    Args:
        settings: the launcher's: `trusted_proxies`, `identity_headers`, and the `name` of the authentication `header`.
        proxies: the networks of `trusted_proxies`.
    """

    def __init__(self, settings: Settings, proxies: Iterable[Network]) -> None:
        self._proxies = tuple(proxies)
        named = [*settings.identity_headers]
        if settings.authentication is not None and settings.authentication.type == "header":
            named.append(str(settings.authentication.options.get("name", "")))
        self._believed = frozenset(map(_plain, named))

    def headers(self, request: web.Request, target: Target) -> CIMultiDict[str]:
        """The headers for `request`. Raises ValueError if one of its headers must not be passed on."""
        trusted = is_in(request.remote, self._proxies)
        headers = forwarded(request, target, trusted=trusted)
        for name, value in passed_on(request.headers).items():
            if name not in headers and name.lower() != "cookie" and self._may_pass(_plain(name), trusted):
                headers.add(name, value)
        # Only the session's own cookies: the token is the proxy's.
        cookies: Iterable[str] = request.headers.getall("Cookie", ())
        for own in (COOKIE, *SIGN_IN):
            cookies = without_cookie(cookies, own)
        headers.extend(("Cookie", one) for one in cookies)
        return headers

    def _may_pass(self, name: str, trusted: bool) -> bool:
        if name in IDENTITY or name in self._believed:
            return trusted and name in self._believed
        return trusted or not (name.startswith("x-forwarded-") or name in _ROUTE)


def _plain(name: str) -> str:
    """A header's name as software compares it: in WSGI and CGI, an underscore equals a dash."""
    return name.lower().replace("_", "-")
