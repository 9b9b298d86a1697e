"""The one place that uses names which picows and aiohttp do not promise. tests/backends/test_private.py notices when
they move."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from multidict import MultiMapping
from picows import WSAutoPingStrategy, WSListener, WSTransport, WSUpgradeResponse
from picows.common import WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from wslink.backends.engine import Refusal

READ_BUFFER = 2048
"""Bytes that picows reads into at first; it grows with the frames that come."""


Answer = Callable[[MultiMapping[str]], tuple[WSListener, dict[str, str]] | Refusal]
"""From a request's headers to what carries the session and the headers of the 101 answer, or to a refusal."""


class _Log:
    """picows's log without its chatter, and without the logger of its own that it gives to each connection."""

    def __init__(self) -> None:
        logger = logging.getLogger("wslink")
        self.warning = self.error = logger.warning
        self.exception = logger.exception

    def isEnabledFor(self, level: int) -> bool:
        return False

    def info(self, *_: object) -> None: ...

    debug = log = info


_log = _Log()


class HandedOver(web.StreamResponse):
    """What aiohttp is told of a request whose connection has gone to somebody else: there is nothing to send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def take_over(request: web.Request, listener: WSListener, max_frame: int, headers: dict[str, str]) -> HandedOver:
    """Give the connection of a valid upgrade request to picows; `headers` are added to the 101 answer.

    For aiohttp the connection is lost from now on: it forgets it, and all that it had for it.
    """
    http, transport = request.protocol, request.transport
    if transport is None:
        return HandedOver()
    http.transport = None  # or it would be closed
    http.connection_lost(None)
    begin(transport, _head(request), max_frame, lambda _: (listener, headers))
    return HandedOver()


def begin(transport: asyncio.Transport, head: bytes, max_frame: int, answer: Answer) -> None:
    """Let picows read the head of an upgrade request and answer it."""

    def respond(request: Any) -> WSUpgradeResponseWithListener:
        answered = answer(request.headers)
        if isinstance(answered, Refusal):
            body = answered.text.encode()
            response = WSUpgradeResponse.create_error_response(answered.status, body, dict(answered.headers))
            return WSUpgradeResponseWithListener(response, None)
        listener, headers = answered
        return WSUpgradeResponseWithListener(WSUpgradeResponse.create_101_response(headers), listener)

    protocol = WSProtocol(
        host_port=None,
        ws_path=None,
        is_client_side=False,
        ws_listener_factory=respond,
        logger=_log,
        disconnect_on_exception=True,
        websocket_handshake_timeout=None,
        enable_auto_ping=False,
        auto_ping_idle_timeout=None,
        auto_ping_reply_timeout=None,
        auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
        enable_auto_pong=False,
        max_frame_size=max_frame,
        extra_headers=None,
        read_buffer_init_size=READ_BUFFER,
    )
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    _feed(protocol, head)


def forget_handshake(transport: WSTransport) -> None:
    """Let go of the headers of request and answer, which picows would keep as long as the connection."""
    for part in (transport.request, transport.response):
        part.headers.clear()


def progress(transport: WSTransport) -> int:
    """A number that changes while a frame is arriving."""
    protocol = transport.underlying_transport.get_protocol()
    return len(cast(Any, protocol).get_buffer(-1))


def _head(request: web.Request) -> bytes:
    """The head of the request, as far as picows needs it."""
    key = request.headers["Sec-WebSocket-Key"]
    return (
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n"
    ).encode("ascii", "replace")


def _feed(protocol: Any, data: bytes) -> None:
    while data:
        buffer = cast(memoryview, protocol.get_buffer(len(data)))
        piece = data[: len(buffer)]
        buffer[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
        data = data[len(piece) :]
