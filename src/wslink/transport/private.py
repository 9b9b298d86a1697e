"""The only module that uses private names of aiohttp. tests/transport/test_private.py fails if they change."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from aiohttp import ClientWebSocketResponse, TCPConnector, web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict, CIMultiDictProxy

from wslink.transport.framing import PROTOCOL_ERROR, TOO_BIG, BrokenFrame, FrameGuard
from wslink.transport.heads import MAX_HEAD, MAX_HEADERS

IDLE_TIMEOUT = 12.0
"""Seconds that a connection may take from an answer to the end of its next request's head."""
READ_SIZE = 64 * 1024
EARLY_LIMIT = 64 * 1024
"""Bytes of a message that comes before anybody has said how large one may be."""

PLAIN, TEXT, BINARY = range(3)
"""Forms of messages: not compressed, compressed text, compressed bytes."""
RSV1, FIN = 64, 128

READ_AHEAD = 2
"""Requests that wait behind one that is being answered, from which on a connection is not read any further."""

HANDLER_OPTIONS: dict[str, Any] = {
    "max_line_size": MAX_HEAD, "max_field_size": MAX_HEAD, "keepalive_timeout": IDLE_TIMEOUT,
}  # fmt: skip
"""For an AppRunner: aiohttp refuses no line of a head that is accepted as a whole."""


def compress_per_message(socket: web.WebSocketResponse | ClientWebSocketResponse) -> int:
    """Let `socket` compress only the frames that ask for it. Returns the argument with which they ask, or 0 if
    compression was not negotiated.

    aiohttp compresses either all frames of a connection or none, images included.
    """
    negotiated = socket.compress
    writer = socket._writer
    if negotiated and writer is not None:
        writer.compress = 0
    return int(negotiated)


def client_transport(socket: ClientWebSocketResponse) -> asyncio.BaseTransport | None:
    """The transport of a client WebSocket."""
    connection = socket._response.connection
    return connection.transport if connection is not None else None


def parse_head(data: bytes) -> CIMultiDictProxy[str] | None:
    """The headers of a complete request head, as aiohttp parses it; None if aiohttp refuses it."""
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


class GuardedParser:
    """Checks data before aiohttp's WebSocket parser sees it, and refuses what the parser would accept.

    Args:
        parser: aiohttp's.
        masked: see FrameGuard.

    Attributes:
        received: the bytes that have arrived.
        forms: of messages that may be compressed, in order: PLAIN, or what aiohttp has to pass on unchanged.
    """

    def __init__(self, parser: Any, masked: bool) -> None:
        self.received: int = 0
        self.forms: deque[int] = deque()
        self._parser = parser
        self._guard = FrameGuard(masked)
        self._limit: Callable[[], int] = lambda: EARLY_LIMIT
        self._fail: Callable[[int, str], None] | None = None
        self._error: BrokenFrame | None = None
        self._held = b""
        self._stopped = False

    def bind(self, limit: Callable[[], int], fail: Callable[[int, str], None], compressed: bool) -> None:
        """Set the largest accepted message, a function to call once with a close code and a reason, and whether
        messages may be compressed."""
        self._guard.compressed = compressed
        self._limit = limit
        self._fail = fail
        if not compressed and self._error is None and any(self.forms):
            self._error = BrokenFrame(PROTOCOL_ERROR, "a reserved bit is set", 0)
        self._report()

    def stop(self, socket: web.WebSocketResponse | ClientWebSocketResponse) -> None:
        """Accept nothing more, and drop what nobody will read: connections are left to the garbage collector, and small
        messages are many."""
        self._stopped = True
        if socket._reader is not None:
            socket._reader._buffer.clear()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.received += len(data)
        if self._error is not None or self._stopped:
            return False, b""
        if self._held:
            self._held += data
            return False, b""
        limit = self._limit()
        try:
            self._guard.check(data, limit)
        except BrokenFrame as error:
            data, rest = data[: error.position], data[error.position :]
            if error.code == TOO_BIG and data:  # the data before it may have contained the hello
                self._held = rest
            else:
                self._error = error
        answer: tuple[bool, bytes] = self._parser.feed_data(self._disguised(data) if self._guard.begun else data)
        if self._held:
            asyncio.get_running_loop().call_soon(self._feed_rest, limit)
        self._report()
        return answer

    def _disguised(self, data: bytes) -> bytes:
        """`data`, with compressed messages marked as binary: aiohttp would expand them without a limit."""
        changed: bytearray | None = None
        for position, first in self._guard.begun:
            if position < len(data):
                self.forms.append(first & 15 if first & RSV1 else PLAIN)
                if first & RSV1:
                    changed = changed or bytearray(data)
                    changed[position] = first & FIN | BINARY
        return data if changed is None else bytes(changed)

    def _feed_rest(self, limit: int) -> None:
        """Check a frame again that was too large, after those before it have been handled."""
        rest, self._held = self._held, b""
        if self._limit() > limit:
            self.feed_data(rest)
        else:
            self._error = BrokenFrame(TOO_BIG, f"a message is at most {limit} bytes", 0)
            self._report()

    def _report(self) -> None:
        if self._error is not None and self._fail is not None:
            fail, self._fail = self._fail, None
            fail(self._error.code, str(self._error))

    def feed_eof(self) -> None:
        self._parser.feed_eof()


def server_guard(request: web.Request) -> GuardedParser:
    """The guard of a request that has been upgraded."""
    protocol = request.protocol
    if not isinstance(protocol._payload_parser, GuardedParser):  # not one of our servers
        protocol._payload_parser = GuardedParser(protocol._payload_parser, masked=True)
    guard: GuardedParser = protocol._payload_parser
    return guard


def plain_upgrade(request: web.Request) -> web.Request:
    """`request`, in a form that aiohttp understands: it reads only the first line of a header."""
    headers = request.headers
    if len(headers.getall("Connection", ())) == 1 and headers.get("Upgrade", "").strip().lower() == "websocket":
        return request
    plain = CIMultiDict(headers)
    plain["Connection"], plain["Upgrade"] = "Upgrade", "websocket"
    return request.clone(headers=plain)


def client_guard(socket: ClientWebSocketResponse) -> GuardedParser:
    """The guard of a client WebSocket that was created by a `guarding_connector`."""
    connection = socket._response.connection
    protocol = connection.protocol if connection is not None else None
    return protocol.guard if isinstance(protocol, _GuardedResponseHandler) else GuardedParser(None, masked=False)


class _GuardedResponseHandler(ResponseHandler):
    guard: GuardedParser

    def set_parser(self, parser: Any, *args: Any, **options: Any) -> None:
        self.guard = GuardedParser(parser, masked=False)  # aiohttp drops its own after the first error
        super().set_parser(self.guard, *args, **options)


def guarding_connector() -> TCPConnector:
    """A connector whose WebSockets are guarded from their first byte on."""
    connector = TCPConnector()
    connector._factory = functools.partial(  # type: ignore[assignment]
        _GuardedResponseHandler, loop=asyncio.get_running_loop()
    )
    return connector


class BoundedHandler(RequestHandler):
    """aiohttp's protocol for a connection, with a limit on the heads of later requests. The first one's is checked
    before it gets here.

    Args:
        too_large: called with a function that handles a head over the limit.

    Attributes:
        upgraded: whether it has become a WebSocket.
    """

    __slots__ = ("_size", "_too_large", "upgraded")

    def __init__(self, *args: Any, too_large: Callable[[asyncio.Transport], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self.upgraded: bool = False
        self._size = 0
        self._too_large = too_large
        # aiohttp reads 32 requests ahead, with their bodies: up to 8 MiB of a connection whose first one takes time.
        if hasattr(self, "_max_msg_queue_size"):  # since aiohttp 3.14; before, it does not stop reading at all
            self._max_msg_queue_size, self._msg_queue_resume_size = READ_AHEAD, READ_AHEAD // 2

    def set_parser(self, parser: Any, *args: Any, **options: Any) -> None:
        self.upgraded = True
        super().set_parser(cast(Any, GuardedParser(parser, masked=True)), *args, **options)

    def data_received(self, data: bytes) -> None:
        idle = self._waiter is not None and not self._waiter.done()  # between requests, or within a head
        super().data_received(data)
        if not idle or self._waiter is None or self._waiter.done():
            self._size = 0
            return
        self._size += len(data)
        if self._size >= MAX_HEAD and self.transport is not None:
            self._too_large(self.transport)
            self.force_close()


def bounded_handler(server: web.Server, too_large: Callable[[asyncio.Transport], None]) -> BoundedHandler:
    """Create a protocol of aiohttp's `server`."""
    return BoundedHandler(server, loop=server._loop, too_large=too_large, **server._kwargs)


class ListeningSite(web.SockSite):
    """A site for which `server` listens: one that a runner knows, and closes at its end."""

    def __init__(self, runner: web.AppRunner, listener: socket.socket, server: asyncio.AbstractServer) -> None:
        super().__init__(runner, listener)
        self._server = server
        runner._reg_site(self)
