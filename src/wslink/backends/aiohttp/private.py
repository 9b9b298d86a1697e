"""The one place that uses names which aiohttp does not promise. tests/backends/test_private.py notices when they
move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import ClientWebSocketResponse, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_runner import BaseSite
from multidict import CIMultiDictProxy

MAX_HEAD = 16 * 1024
"""Bytes of a request's head, from which on it is answered 431 (LIM-13)."""
MAX_HEADERS = 128
"""Header lines of a request."""
IDLE_TIMEOUT = 12.0
"""Seconds that a connection may take from an answer to the end of its next request's head."""
READ_SIZE = 64 * 1024

HANDLER_OPTIONS: dict[str, Any] = {
    "max_line_size": MAX_HEAD, "max_field_size": MAX_HEAD, "keepalive_timeout": IDLE_TIMEOUT,
}  # fmt: skip
"""For an AppRunner: aiohttp refuses no line of a head that is accepted as a whole."""


def compress_per_message(socket: web.WebSocketResponse | ClientWebSocketResponse) -> int:
    """Let `socket` compress only the frames that ask for it; returns what they ask with, or 0 if nothing was
    negotiated.

    aiohttp compresses all frames of a connection or none, images included.
    """
    negotiated = socket.compress
    writer = socket._writer
    if negotiated and writer is not None:
        writer.compress = 0
    return int(negotiated)


def client_transport(socket: ClientWebSocketResponse) -> asyncio.BaseTransport | None:
    """What a WebSocket that we dialed writes to."""
    connection = socket._response.connection
    return connection.transport if connection is not None else None


def parse_head(data: bytes) -> CIMultiDictProxy[str] | None:
    """The headers of a whole request head, as aiohttp reads it; None where aiohttp refuses it."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(
        BaseProtocol(loop), loop, READ_SIZE,
        max_line_size=MAX_HEAD, max_field_size=MAX_HEAD, max_headers=MAX_HEADERS,
    )  # fmt: skip
    try:
        messages, _, tail = parser.feed_data(data)
    except HttpProcessingError:
        return None
    return messages[0][0].headers if len(messages) == 1 and not tail else None


class BoundedHandler(RequestHandler):
    """aiohttp's protocol for a connection, with a bound on the heads of later requests; the first one's is bounded
    before it comes here.

    Args:
        too_large: called with what to do about a head over the bound.
    """

    __slots__ = ("_size", "_too_large")

    def __init__(self, *args: Any, too_large: Callable[[asyncio.Transport], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._size = 0
        self._too_large = too_large

    def data_received(self, data: bytes) -> None:
        idle = self._waiter is not None and not self._waiter.done()  # between requests, or within a head
        super().data_received(data)
        if not idle or self._waiter is None or self._waiter.done():
            self._size = 0
            return
        self._size += len(data)
        if self._size >= MAX_HEAD and self.transport is not None:
            transport = self.transport
            self._too_large(transport)
            self.force_close()


def bounded_handler(server: web.Server, too_large: Callable[[asyncio.Transport], None]) -> BoundedHandler:
    """A protocol of aiohttp's `server`."""
    return BoundedHandler(server, loop=server._loop, too_large=too_large, **server._kwargs)


class AcceptingSite(web.SockSite):
    """A site whose connections `accept` accepts: it takes the place of asyncio's server."""

    def __init__(self, *args: Any, accept: Callable[[], Any], **options: Any) -> None:
        super().__init__(*args, **options)
        self._accept_with = accept

    async def start(self) -> None:
        await BaseSite.start(self)
        self._server = self._accept_with()
