"""New connections: the head of the first request, within limits on time and size.

A WebSocket request for a route that is known to lead to an endpoint goes straight there: aiohttp's request, tasks and
routing would cost more than everything else at the beginning of a connection. All other requests are left to aiohttp,
which may have to be loaded first.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from wslink.http.acceptor import Complaints
from wslink.http.heads import read_head
from wslink.transport.heads import MAX_HEAD

if TYPE_CHECKING:
    from multidict import MultiMapping

HEAD_TIMEOUT = 10.0
"""Seconds that the head of a connection's first request may take (LIM-15)."""
READ_SIZE = 16 * 1024
"""Bytes that are read at a time until a connection's first request has come, and hello on a WebSocket."""
LINGER = 2.0
"""Seconds in which what comes after a refused head is thrown away, so that its sender can read the answer."""
MAX_LINGER = 1024 * 1024
"""Bytes of that."""

_METHOD, _VERSION, _END = b"GET ", b"HTTP/1.1\r\n", b"\r\n\r\n"


class Adopter(Protocol):
    """An endpoint that accepts connections without aiohttp's request."""

    def serve_connection(self, transport: asyncio.Transport, query: str, headers: MultiMapping[str]) -> bool:
        """Take over a connection on which a GET request for the endpoint arrived. Returns False if aiohttp has to
        handle it, including refusals."""

    async def shut_down(self) -> None:
        """Close open connections, and wait until they have ended."""


class Http(Protocol):
    """The server of all other connections.

    Attributes:
        loaded: whether it can accept connections.
    """

    loaded: bool

    def protocol(self) -> asyncio.Protocol | None:
        """The protocol for a connection; None if it is not loaded."""

    def load(self) -> asyncio.Future[None]:
        """Return a future that is done when loading has succeeded or failed."""


class Arrivals:
    """Creates the protocols of a server's connections.

    Args:
        http: accepts those that no endpoint accepts.
    """

    def __init__(self, http: Http) -> None:
        self.http = http
        self._too_large = Complaints()
        self._endpoints: dict[bytes, Adopter] = {}
        self._waiting: dict[_Arrival, float] = {}  # with their deadlines, the earliest first
        self._deferred: set[_Arrival] = set()  # those that wait until HTTP is loaded
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self) -> asyncio.Protocol:
        return _Arrival(self)

    def know(self, path: str, endpoint: Adopter) -> None:
        """Pass WebSocket requests for exactly this path to `endpoint`."""
        self._endpoints[path.encode()] = endpoint

    def evict(self) -> bool:
        """End the connection that has waited longest. Returns whether there was one."""
        arrival = next(iter(self._waiting), None)
        if arrival is not None:
            del self._waiting[arrival]
            arrival.abort()
        return arrival is not None

    def close(self) -> None:
        """End the connections that have not sent their request yet."""
        if self._timer is not None:
            self._timer.cancel()
        for arrival in [*self._waiting, *self._deferred]:
            arrival.close()

    # Called by connections.

    def wait(self, arrival: _Arrival) -> None:
        """Close `arrival` if it does not stop waiting in time."""
        self._waiting[arrival] = monotonic() + HEAD_TIMEOUT
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HEAD_TIMEOUT, self._sweep)

    def refuse(self, transport: asyncio.Transport) -> None:
        """Respond to a head that is too large."""
        peer, *_ = transport.get_extra_info("peername") or ("?",)
        self._too_large.warning(
            "a request from %s was refused: its head (cookies?) has %d bytes or more", peer, MAX_HEAD
        )
        transport.write(TOO_LARGE)

    def stop_waiting(self, arrival: _Arrival) -> None:
        self._waiting.pop(arrival, None)

    def defer(self, arrival: _Arrival) -> asyncio.Future[None]:
        """Let `arrival` wait until HTTP is loaded."""
        self._deferred.add(arrival)
        return self.http.load()

    def stop_deferring(self, arrival: _Arrival) -> None:
        self._deferred.discard(arrival)

    def take(self, transport: asyncio.Transport, data: bytes) -> bool:
        """Pass a connection that begins with `data` to an endpoint. Returns whether that is possible."""
        if not data.startswith(_METHOD) or data.find(_END) != len(data) - len(_END):
            return False
        target, _, rest = data[len(_METHOD) :].partition(b" ")
        path, _, query = target.partition(b"?")
        endpoint = self._endpoints.get(path)
        headers = read_head(data, ask=self.http.loaded) if endpoint is not None and rest.startswith(_VERSION) else None
        if endpoint is None or headers is None or "Content-Length" in headers or "Transfer-Encoding" in headers:
            return False
        return endpoint.serve_connection(transport, query.decode("latin-1"), headers)

    def _sweep(self) -> None:
        self._timer = None
        while self._waiting:
            arrival, due = next(iter(self._waiting.items()))
            left = due - monotonic()
            if left > 0:
                self._timer = asyncio.get_running_loop().call_later(left, self._sweep)
                return
            del self._waiting[arrival]
            arrival.close(late=True)


class _Arrival(asyncio.Protocol):
    """A connection that has not sent the head of its first request yet."""

    __slots__ = ("_arrivals", "_discarded", "_head", "_most", "_transport")

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._head = b""
        self._most = 0
        self._discarded = -1  # bytes that arrived after a refused head
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        if hasattr(transport, "max_size"):  # asyncio's own transport, which allocates this much for each read
            self._most, transport.max_size = transport.max_size, READ_SIZE
        self._arrivals.wait(self)

    def data_received(self, data: bytes) -> None:
        if self._discarded >= 0:
            self._discard(data)
            return
        start = max(len(self._head) - 3, 0)
        self._head = data = self._head + data if self._head else data
        end = data.find(_END, start)
        if (end + len(_END) if end >= 0 else len(data)) >= MAX_HEAD:
            self._refuse()
        elif end >= 0 or not 65 <= data[0] <= 90:  # not the letter that a method begins with: aiohttp has the words
            self._hand_on(data)

    def _hand_on(self, data: bytes) -> None:
        self._arrivals.stop_waiting(self)
        if self._arrivals.take(self._transport, data):
            self._head = b""
        elif (protocol := self._arrivals.http.protocol()) is not None:
            self._serve(protocol)
        else:
            self._transport.pause_reading()
            self._arrivals.defer(self).add_done_callback(self._loaded)

    def _loaded(self, _: object) -> None:
        """Continue, in the context of the connection."""
        self._arrivals.stop_deferring(self)
        if self._transport.is_closing():
            return
        protocol = self._arrivals.http.protocol()
        if protocol is None:
            self._transport.write(UNABLE)
            self._transport.close()
            return
        self._transport.resume_reading()
        self._serve(protocol)

    def _serve(self, protocol: asyncio.Protocol) -> None:
        """Let aiohttp serve."""
        data, self._head = self._head, b""
        if self._most:
            self._transport.max_size = self._most  # type: ignore[attr-defined]
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        protocol.data_received(data)

    def _refuse(self) -> None:
        self._head, self._discarded = b"", 0
        self._arrivals.refuse(self._transport)
        asyncio.get_running_loop().call_later(LINGER, self._transport.close)

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > MAX_LINGER:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._arrivals.stop_waiting(self)
        self._arrivals.stop_deferring(self)

    def abort(self) -> None:
        self._transport.abort()

    def close(self, late: bool = False) -> None:
        if late and self._head:
            self._transport.write(_response("408 Request Timeout", b"The head of the request did not come in time.\n"))
        self._transport.close()


def _response(status: str, text: bytes) -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(text)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + text


TOO_LARGE = _response(
    "431 Request Header Fields Too Large", f"The head of a request has fewer than {MAX_HEAD} bytes.\n".encode()
)
UNABLE = _response("500 Internal Server Error", b"The server cannot answer requests; its log says why.\n")
