"""`connect`: open a link to a server."""

from __future__ import annotations

import errno
import os
import ssl as ssl_module
from collections.abc import Generator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp

from wslink.client.address import shown_url
from wslink.client.backoff import Backoff, Reconnect
from wslink.client.connections import Dialing
from wslink.client.link import Link
from wslink.client.proxy import find_proxy
from wslink.client.session import ClientSession
from wslink.client.socket import Socket
from wslink.errors import ConnectionClosed, UsageError
from wslink.rpc.interceptors import Function
from wslink.settings import is_header
from wslink.wire.limits import Limits
from wslink.wire.messages import is_text

Options = dict[str, Any]
"""Those of aiohttp."""


class Connecting:
    """The result of `connect`: `await` it to get a Link, or use it in `async with`, which closes the Link."""

    def __init__(
        self,
        dialing: Dialing,
        limits: Limits,
        handlers: Mapping[str, Function],
        session: type[ClientSession] = ClientSession,
    ) -> None:
        self._dialing = dialing
        self._limits = limits
        self._handlers = handlers
        self._session = session
        self._link: Link | None = None

    def __await__(self) -> Generator[Any, None, Link]:
        return self._connect().__await__()

    if not TYPE_CHECKING:  # which says so by itself

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"there is no {name!r} before the connection is open: link = await wslink.connect(...), or async with"
            )

    async def __aenter__(self) -> Link:
        self._link = await self._connect()
        return self._link

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._link is not None
        await self._link.close()

    async def _connect(self) -> Link:
        link = Link(self._dialing, self._limits, self._session)
        for name, function in self._handlers.items():
            link.handle(name, function)
        await link.open()
        return link


class Dialer:
    """A callable that opens a WebSocket."""

    def __init__(self, url: str, limits: Limits, options: Options) -> None:
        self._url = url
        self._limits = limits
        self._options = options

    async def __call__(self) -> Socket:
        """Raises ConnectionClosed."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        try:
            # A server may use larger frames than we do, and what is over max_message is to be refused, not to end all.
            limit = max(self._limits.max_message, self._limits.max_frame)
            # Proxies do not know ws:// URLs.
            url = self._url.replace("ws", "http", 1) if self._options["proxy"] else self._url
            socket = await session.ws_connect(url, max_msg_size=limit, autoclose=False, **self._options)
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: not a valid host name
            await session.close()
            raise ConnectionClosed(1006, f"{shown_url(self._url)}: {_reason(error, self._url)}") from None
        except BaseException:
            await session.close()
            raise
        return Socket(session, socket)


def connect(
    url: str,
    *,
    secret: str | None = None,
    timeout: float = 10.0,
    ssl: ssl_module.SSLContext | bool = True,
    headers: Mapping[str, str] | None = None,
    proxy: str | bool = True,
    reconnect: Reconnect | bool = True,
    limits: Limits | None = None,
    handlers: Mapping[str, Function] | None = None,
    compress: bool = False,
    traces: bool = False,
) -> Connecting:
    """Connect to a server: `async with wslink.connect(url, secret=s) as link`, or `link = await wslink.connect(...)`.

    Args:
        url: the URL of the WebSocket, such as "ws://localhost:8080/ws".
        secret: the server's secret.
        timeout: seconds for connecting and hello together, also for each attempt to reconnect.
        ssl: a context for wss, or False to accept any certificate.
        headers: added to the handshake.
        proxy: an HTTP proxy such as "http://proxy:3128"; True for the environment's (HTTP_PROXY, HTTPS_PROXY,
            ALL_PROXY, NO_PROXY) except for loopback addresses; False for none. It must support CONNECT or upgrades.
        reconnect: how to reconnect: at once, then after random, growing waits. With False the link closes instead.
        limits: bounds on what the server can use here, and on what is kept while disconnected; by default `Limits()`.
        handlers: functions that the server may call, by name, as with `Link.handle`, from the first moment on.
        compress: offer compression (permessage-deflate), which costs time at both ends.
        traces: record calls and publications as OpenTelemetry spans, and join the server's traces.

    Raises:
        AuthenticationError: the server refused the secret.
        ConnectionClosed: the server cannot be reached, does not respond, or closed the connection.
        UsageError: raised at once: the URL is not ws:// or wss://, the proxy is not http:// or https://, another
            argument is not valid, or OpenTelemetry is not installed.
    """
    _refuse_others(url, timeout, reconnect, limits, handlers)
    options = {"ssl": ssl, "headers": headers, "proxy": find_proxy(url, proxy), "compress": 15 * bool(compress)}
    dialing = _dialing(url, secret, timeout, reconnect, limits or Limits(), options)
    return Connecting(dialing, limits or Limits(), handlers or {}, _session_class(traces))


def _dialing(
    url: str, secret: str | None, timeout: float, reconnect: Reconnect | bool, limits: Limits, options: Options
) -> Dialing:
    _refuse_opening(secret, options["ssl"], options["headers"])
    backoff = None if reconnect is False else Backoff(Reconnect() if reconnect is True else reconnect)
    return Dialing(Dialer(url, limits, options), shown_url(url), secret, timeout, backoff)


def _reason(error: Exception, url: str) -> str:
    """The reason why there is no connection to `url`, without the secrets in it."""
    if isinstance(error, aiohttp.ClientResponseError):
        advice = _OF_STATUS.get(error.status, "")
        return f"the server responded with {error.status} ({error.message}){advice}"
    # With a proxy, the scheme differs.
    told = str(error).replace(url.partition(":")[2], shown_url(url).partition(":")[2])
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return told + _REFUSED
    if number and "Connect call failed" in told:  # all that asyncio says of any error
        return f"{told}: {os.strerror(number)}"
    return told + next((advice for sign, advice in _OF_ERROR.items() if sign in told), "")


_REFUSED = "; nothing listens there: is the server running, and is this its port?"


_OF_STATUS = {
    403: "; the server's log says why",
    404: "; it has no WebSocket at this path: that of a server is /ws unless its settings say otherwise",
}
"""Advice for refused handshakes, by status."""

_OF_ERROR = {
    "Server disconnected": "; if the server speaks TLS at this port: wss:// instead of ws://",
    "WRONG_VERSION_NUMBER": "; the server does not speak TLS at this port: ws:// instead of wss://",
    "CERTIFICATE_VERIFY_FAILED": "; connect(url, ssl=...) takes a context that trusts it, or False for any certificate",
}
"""Advice for errors, by a part of their message."""


def _session_class(traces: bool) -> type[ClientSession]:
    if not traces:
        return ClientSession
    try:
        from wslink.client.traced import TracedSession
    except ImportError as error:
        raise UsageError(f"traces need OpenTelemetry: pip install 'wslink[otel]' ({error})") from error
    return TracedSession


def _refuse_opening(secret: object, ssl: object, headers: object) -> None:
    """Raise UsageError for invalid arguments of the handshake and of hello."""
    if secret is not None and not (isinstance(secret, str) and is_text(secret)):
        raise UsageError(f"a secret is text, not a {type(secret).__name__} or half of a surrogate pair")
    if ssl is not None and not isinstance(ssl, (bool, ssl_module.SSLContext)):
        raise UsageError(f"ssl must be an SSLContext, True or False, not {ssl!r:.100}")
    if headers is not None and not isinstance(headers, Mapping):
        raise UsageError(f"headers must be a mapping of names to text, not {headers!r:.100}")
    for name, value in (headers or {}).items():
        if not is_header(name, value):
            raise UsageError(f"headers: a handshake cannot have {name!r:.100}: {value!r:.100}")


def _refuse_others(url: object, timeout: object, reconnect: object, limits: object, handlers: object) -> None:
    """Raise UsageError for other invalid arguments of `connect`."""
    if not isinstance(url, str) or not url.startswith(("ws://", "wss://")):
        raise UsageError(f"{url!r:.100} is not a ws:// or wss:// URL, such as ws://localhost:8080/ws")
    if not isinstance(timeout, (int, float)) or not timeout > 0:
        raise UsageError(f"timeout must be a number of seconds over 0, not {timeout!r:.100}")
    if not isinstance(reconnect, (bool, Reconnect)):
        raise UsageError(f"reconnect must be True, False or wslink.Reconnect, not {reconnect!r:.100}")
    if limits is not None and not isinstance(limits, Limits):
        raise UsageError(f"limits must be wslink.Limits, not {limits!r:.100}")
    if handlers is not None and not isinstance(handlers, Mapping):
        raise UsageError(f"handlers must be a mapping of names to functions, not {handlers!r:.100}")
