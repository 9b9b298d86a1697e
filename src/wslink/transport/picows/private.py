"""The only module that uses private names of picows. tests/transport/test_private.py fails if they change."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any, Protocol, cast

from picows.common import WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSAutoPingStrategy, WSProtocol, WSTransport  # type: ignore[attr-defined]

from wslink.transport.framing import TOO_BIG, BrokenFrame, FrameGuard
from wslink.transport.picows.reading import InFront, Listener, Reader
from wslink.wire.frames import Buffer

READ_BUFFER = 2048
"""Bytes that picows reads into at first; it grows with the frames that come, and whenever one read fills it."""


_logger: logging.Logger = logging.getLogger("wslink")


class _Log:
    """picows's log of a connection without details, and without the logger that it creates for each.

    Args:
        transport: asyncio's.
    """

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def error(self, message: str, *details: object) -> None:
        """picows has refused a frame, and ends the connection in a moment. It would handle what comes until then."""
        _logger.warning(message, *details)
        cast("Gate | Reader", self._transport.get_protocol()).refuse()

    warning = _logger.warning
    exception = _logger.exception
    # In C, as each connection calls them several times: they take what they get, and say no or nothing.
    isEnabledFor = staticmethod((0).__and__)
    debug = log = info = staticmethod("".format)


_SWITCHING = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"


class _Switch(WSUpgradeResponse):
    """The response as picows sends it, in which only a few headers differ between connections.

    Args:
        headers: these headers. picows adds another.
    """

    __slots__ = ()
    status = HTTPStatus.SWITCHING_PROTOCOLS

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers  # type: ignore[assignment]

    def to_bytes(self) -> bytearray:
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        return bytearray(b"%b%b\r\n" % (_SWITCHING, lines.encode()))


class _Answer(WSUpgradeResponseWithListener):
    """The answer to an upgrade request that has been checked: the response, and the listener of the connection. It is
    also the function that picows calls for it."""

    __slots__ = ()

    def __init__(self, listener: Gated, headers: dict[str, str]) -> None:  # the base class's would check it once more
        self.listener = listener
        self.response = _Switch(headers)

    def __call__(self, request: object) -> _Answer:
        return self


class Line:
    """asyncio's transport, as picows sees it: picows queries it a dozen times at the beginning of a connection.

    Attributes:
        transport: asyncio's.
    """

    __slots__ = ("get_extra_info", "get_write_buffer_size", "transport", "write")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport: asyncio.Transport = transport
        self.write: Callable[[Buffer], None] = transport.write
        self.get_write_buffer_size: Callable[[], int] = transport.get_write_buffer_size
        descriptor = transport.get_extra_info("socket").fileno()
        # All in C. picows asks the socket for what it only logs, and sets what asyncio has set (TCP_NODELAY), and what
        # the kernel does at the beginning by itself (TCP_QUICKACK).
        quiet = SimpleNamespace(fileno=itertools.repeat(descriptor).__next__, getsockopt=max, setsockopt=max)
        self.get_extra_info: Callable[[str], Any] = {
            "socket": quiet,
            "ssl_object": transport.get_extra_info("ssl_object"),
        }.get

    def close(self) -> None:
        if not self.transport.is_closing():  # asyncio's TLS is of no use after the second time
            self.transport.close()

    def abort(self) -> None:
        self.transport.abort()

    def writelines(self, pieces: list[bytes]) -> None:
        self.transport.writelines(pieces)


class Gated(Listener, Protocol):
    """A connection behind a Gate."""

    @property
    def admitted(self) -> bool:
        """Whether the client has completed hello."""

    @property
    def max_size(self) -> int:
        """The largest message that is currently accepted, in bytes (LIM-1, LIM-2)."""

    def fail(self, code: int, reason: str) -> None:
        """The client violated the WebSocket protocol, or a limit."""


class Gate(InFront, asyncio.Protocol):
    """Checks data before picows sees it, until the client has completed hello and a Reader replaces it. Refuses a large
    frame by its head, for which picows would allocate memory, and limits how much is read at a time.

    Args:
        inner: picows's protocol.
        listener: receives the frames.
        transport: asyncio's.
        max_frame: the largest frame that is accepted after hello, in bytes.

    Attributes:
        received: the bytes that have arrived.
    """

    __slots__ = ("_broken", "_guard", "_listener", "_max_frame", "_transport", "received")

    def __init__(self, inner: Any, listener: Gated, transport: asyncio.Transport, max_frame: int) -> None:
        self._inner = inner
        self.received: int = 0
        self._listener = listener
        self._transport = transport
        self._max_frame = max_frame
        self._guard = FrameGuard(masked=True)
        self._broken = False

    def refuse(self) -> None:
        """Handle nothing that comes from now on."""
        self._broken = True

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self._broken:
            self._hand_on(data)

    def _hand_on(self, data: bytes) -> None:
        listener, guard = self._listener, self._guard
        try:
            guard.check(data, listener.max_size)
        except BrokenFrame as error:
            self._feed(data[: error.position])
            if error.position and error.code == TOO_BIG and listener.admitted:  # what came before it was the hello
                self._hand_on(data[error.position :])
                return
            self._broken = True
            listener.fail(error.code, str(error))
            return
        self._feed(data)
        if self._broken or not listener.admitted or self._transport.is_closing():
            return
        if (ahead := guard.ahead) >= 0:
            self._transport.set_protocol(Reader(self._inner, listener, self._max_frame, ahead))

    def _feed(self, data: bytes) -> None:
        """Pass on `data` in pieces that fill half of picows's buffer. The buffer is kept by the connection, and this
        way it grows with the size of an incomplete frame instead of the number of frames that arrived together."""
        protocol, left = self._inner, memoryview(data)
        while left and not self._broken:
            buffer: memoryview = protocol.get_buffer(len(left))
            piece = left[: len(buffer) // 2]
            buffer[: len(piece)] = piece
            protocol.buffer_updated(len(piece))
            left = left[len(piece) :]


def begin(transport: asyncio.Transport, key: str, max_frame: int, listener: Gated, headers: dict[str, str]) -> None:
    """Let picows answer an upgrade request and carry the connection, through a gate at first."""
    protocol = WSProtocol(
        host_port=None,
        ws_path=None,
        is_client_side=False,
        ws_listener_factory=_Answer(listener, headers),
        logger=_Log(transport),
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
    transport.set_protocol(Gate(protocol, listener, transport, max_frame))
    line = Line(transport)
    protocol.connection_made(line)
    del line.get_extra_info  # picows has asked
    head = _head(key.strip())
    protocol.get_buffer(-1)[: len(head)] = head  # which is shorter than READ_BUFFER
    protocol.buffer_updated(len(head))


def forget_handshake(transport: WSTransport) -> None:
    """Drop the headers of request and response, which picows would keep as long as the connection."""
    for part in (transport.request, transport.response):
        part.headers.clear()


def progress(transport: asyncio.Transport) -> int:
    """A number that changes while a frame is arriving."""
    protocol = cast(Any, transport.get_protocol())
    if isinstance(protocol, Gate):
        return protocol.received
    return cast(Reader, protocol).room


def _head(key: str) -> bytes:
    """The head of an upgrade request, as far as picows needs it. What the client sent has been checked before."""
    return (
        "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Key: {key}\r\n\r\n"
    ).encode("ascii", "replace")
