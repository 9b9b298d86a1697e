"""From a WebSocket request to its target: the target does the handshake itself, and bytes are passed on afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web
from multidict import CIMultiDict, MultiMapping

from wslink.proxy.pipe import Side, join
from wslink.proxy.takeover import ConnectionPassed, take_over
from wslink.waiting import within

MAX_HEAD = 16384
"""Bytes of a target's answer to the handshake, at most."""
HANDSHAKE_TIMEOUT = 10.0
"""Seconds that a target has to accept and answer."""

_HOP_BY_HOP = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class Target:
    """The target of a tunnel.

    Attributes:
        host: an address or a name.
        port: its port.
        path: path and query, encoded, with a slash before.
        retries: seconds to wait before each new attempt to connect.
    """

    host: str
    port: int
    path: str
    retries: tuple[float, ...] = ()

    @property
    def netloc(self) -> str:
        """Host and port, as in an address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass
class TunnelObserver:
    """Called when a tunnel opens and closes."""

    opened: Callable[[Side], None] = field(default=lambda _: None)
    closed: Callable[[Side], None] = field(default=lambda _: None)


async def tunnel(
    request: web.Request, target: Target, headers: CIMultiDict[str], observer: TunnelObserver | None = None
) -> web.StreamResponse:
    """Carry the WebSocket that `request` asks for to the target, until either side ends it.

    Args:
        headers: the headers for the target, mainly the client's: the handshake is between these two.

    Returns:
        502 if the target cannot be reached or does not speak WebSocket, 504 if it does not answer, or the target's own
            status if it refused.
    """
    observer = observer or TunnelObserver()
    upstream = _Upstream()
    try:
        await within(_dial(upstream, target), HANDSHAKE_TIMEOUT + sum(target.retries))
        upstream.send(request_head(target, headers))
        head = await within(upstream.head, HANDSHAKE_TIMEOUT)
    except asyncio.TimeoutError:
        upstream.abort()
        return web.Response(status=504, text="The target does not answer.\n")
    except (OSError, ValueError):
        upstream.abort()
        return web.Response(status=502, text="The target cannot be reached.\n")
    except asyncio.CancelledError:
        upstream.abort()
        raise
    if not head.startswith(b"HTTP/1.1 101 "):
        upstream.abort()
        return web.Response(status=_refusal(head), text="The target refused the connection.\n")
    await _carry(request, upstream, head, observer)
    return ConnectionPassed()


def forwarded(request: web.Request, target: Target, *, trusted: bool = True) -> CIMultiDict[str]:
    """The headers that tell a target about the request's origin: what the client asked for, and where it is.

    Args:
        trusted: whether such headers in the request itself are passed on.
    """
    claimed: Mapping[str, str] = request.headers if trusted else {}
    headers = CIMultiDict({"Host": target.netloc})
    headers["X-Forwarded-Host"] = claimed.get("X-Forwarded-Host", request.host)
    headers["X-Forwarded-Proto"] = claimed.get("X-Forwarded-Proto", request.scheme)
    hops = [*(request.headers.getall("X-Forwarded-For", ()) if trusted else ()), request.remote or ""]
    headers["X-Forwarded-For"] = ", ".join(filter(None, hops))
    return headers


def passed_on(headers: MultiMapping[str]) -> CIMultiDict[str]:
    """The end-to-end headers.

    Raises:
        ValueError: a header contains a control character, or its name is not valid (RFC 9110, 5.1 and 5.5): the next
            reader might take the rest for another header, or for another request. The message names the header.
    """
    named = {name.strip().lower() for line in headers.getall("Connection", ()) for name in line.split(",")}
    kept = CIMultiDict[str]()
    for name, value in headers.items():
        if _NAME.fullmatch(name) is None or _CONTROL.search(value) is not None:
            raise ValueError(f"the header {name[:80]!r} has characters that are not allowed")
        if name.lower() not in _HOP_BY_HOP | named:
            kept.add(name, value)
    return kept


def request_head(target: Target, headers: CIMultiDict[str]) -> bytes:
    """The head of the request for a target.

    Raises:
        ValueError: it would not be the head of a single request.
    """
    pairs = [*headers.items(), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    if any(map(_CONTROL.search, (target.path, *headers, *headers.values()))) or " " in target.path:
        raise ValueError("a control character cannot be passed on")
    lines = [f"GET {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


class _Upstream(Side):
    """The connection to the target. The head of its response is collected in `head`."""

    def __init__(self) -> None:
        super().__init__()
        self.head: asyncio.Future[bytes] = self.ended.get_loop().create_future()
        self.rest = b""
        self._received = b""

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            return super().data_received(data)
        if self.head.done():
            self.rest += data
            return None
        self._received += data
        head, separator, rest = self._received.partition(b"\r\n\r\n")
        if separator:
            # Frames that follow at once wait in the socket until the client is there to take them.
            assert self.transport is not None
            self.transport.pause_reading()
            self.rest = rest
            self.head.set_result(head + separator)
        elif len(self._received) > MAX_HEAD:
            self.head.set_exception(ValueError("the head of the answer is too long"))
        return None

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        if not self.head.done():
            self.head.set_exception(ConnectionResetError("the target left"))
            self.head.exception()  # mark it as retrieved: nobody may be waiting


async def _dial(upstream: _Upstream, target: Target) -> None:
    loop = asyncio.get_running_loop()
    for pause in target.retries:
        with contextlib.suppress(OSError):
            await loop.create_connection(lambda: upstream, target.host, target.port)
            return
        await asyncio.sleep(pause)
    await loop.create_connection(lambda: upstream, target.host, target.port)


async def _carry(request: web.Request, upstream: _Upstream, head: bytes, observer: TunnelObserver) -> None:
    client = Side()
    if not take_over(request, client):
        upstream.abort()
        return
    client.send(head)
    if upstream.rest:
        client.send(upstream.rest)
    join(client, upstream)
    observer.opened(client)
    client.ended.add_done_callback(lambda _: observer.closed(client))


def _refusal(head: bytes) -> int:
    """The status to respond with, if a target did not accept."""
    status = head.split(b" ", 2)[1:2]
    code = int(status[0]) if status and status[0].isdigit() and len(status[0]) == 3 else 0
    return code if 400 <= code < 600 else 502
