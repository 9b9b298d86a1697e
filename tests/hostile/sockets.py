"""Blocking sockets that speak just enough WebSocket to attack, or to be a well-behaved client beside an attack."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
import time
import zlib
from typing import Any, NamedTuple

from tests.hostile import wire

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Target(NamedTuple):
    """Where an attack goes.

    Attributes:
        kind: the kind of server, a key of servers.KINDS.
        port: of the server; where the server dials (a reverse connection), the port that it dials.
        path: of the WebSocket.
        dialed: whether the server dials `port`.
    """

    kind: str
    port: int
    path: str = "/ws"
    dialed: bool = False


class Ended(Exception):
    """The other side has ended the connection."""


class WebSocket:
    """A WebSocket over a blocking socket."""

    def __init__(self, sock: socket.socket, mask: bool) -> None:
        self.sock = sock
        self.mask = mask
        self.buffer = b""
        self._inflater = zlib.decompressobj(wbits=-15)

    @classmethod
    def open(cls, target: Target, timeout: float = 5, extensions: str = "") -> WebSocket:
        return _accepted(target, timeout) if target.dialed else _dialed(target, timeout, extensions)

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False) -> bytes:
        return wire.frame(opcode, payload, fin=fin, rsv1=rsv1, mask=self.mask)

    def send(self, opcode: int, payload: bytes = b"") -> None:
        self.write(self.frame(opcode, payload))

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises Ended, and TimeoutError where the other side does not take it in time."""
        try:
            self.sock.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise Ended(str(error)) from error

    def receive(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame. Raises Ended and TimeoutError."""
        first, second = self._exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self._exactly(8))
        mask = self._exactly(4) if second & 0x80 else b""
        payload = self._exactly(size)
        if mask:
            payload = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        if first & 0x40:
            payload = self._inflater.decompress(payload + b"\0\0\xff\xff")
        return first & 15, payload

    def answer(self, id_: str) -> dict[str, Any]:
        """The answer of that id; whatever comes before it is dropped, pings are answered. Raises Ended."""
        while True:
            opcode, payload = self.receive()
            if opcode == wire.PING:
                self.send(wire.PONG, payload)
            elif opcode == wire.CLOSE:
                raise Ended(f"closed: {struct.unpack('>H', payload[:2])[0]} {payload[2:].decode()}")
            elif opcode in (wire.TEXT, wire.BINARY):
                found = json.loads(payload) if opcode == wire.TEXT else wire.result_of(payload)
                if isinstance(found, dict) and found.get("id") == id_:
                    return dict(found)

    def hello(self, secret: Any = "secret", version: int = 2, **more: Any) -> dict[str, Any]:
        envelope = wire.hello(secret, **more)
        if version == 1:
            self.send(wire.TEXT, wire.text(envelope))
        else:
            self.send(wire.BINARY, wire.message(envelope))
        return self.answer("system:c0:0")

    def call(self, method: str, *args: Any) -> Any:
        """The result of a call; raises AssertionError for a failure."""
        envelope = wire.call(method, *args)
        self.send(wire.BINARY, wire.message(envelope))
        answer = self.answer(envelope["id"])
        assert "result" in answer, answer
        return answer["result"]

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            try:
                data = self.sock.recv(1 << 18)
            except TimeoutError:
                raise
            except OSError as error:
                raise Ended(str(error)) from error
            if not data:
                raise Ended("end of stream")
            self.buffer += data
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken


def connect(port: int, timeout: float = 5) -> socket.socket:
    """A TCP connection, which `close_all` closes at the latest."""
    sock = socket.create_connection(("127.0.0.1", port), timeout)
    _opened.append(sock)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


_opened: list[socket.socket] = []


def mark() -> int:
    """What `close_since` takes: the connections that were made so far."""
    return len(_opened)


def close_since(marked: int) -> None:
    """Close every connection that was made since `mark` was called."""
    while len(_opened) > marked:
        _opened.pop().close()


def close_all() -> None:
    """Close every connection that was made."""
    while _opened:
        _opened.pop().close()
    _listeners.clear()


def handshake(target: Target, extensions: str = "") -> bytes:
    """The request of an opening handshake."""
    lines = [
        f"GET {target.path} HTTP/1.1", f"Host: 127.0.0.1:{target.port}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
    ]  # fmt: skip
    if extensions:
        lines.append(f"Sec-WebSocket-Extensions: {extensions}")
    return "\r\n".join([*lines, "", ""]).encode()


def _dialed(target: Target, timeout: float, extensions: str) -> WebSocket:
    sock = connect(target.port, timeout)
    try:
        sock.sendall(handshake(target, extensions))
        answer, rest = _head(sock)
    except (OSError, Ended):
        sock.close()
        raise
    if b" 101 " not in answer.split(b"\r\n")[0]:
        sock.close()
        raise Ended(answer.split(b"\r\n")[0].decode())
    self = WebSocket(sock, mask=True)
    self.buffer = rest
    return self


_listeners: dict[int, socket.socket] = {}


def listen(port: int = 0) -> int:
    """Listen where a server will dial; the port."""
    listener = socket.create_server(("127.0.0.1", port))
    _opened.append(listener)
    _listeners[listener.getsockname()[1]] = listener
    return int(listener.getsockname()[1])


def _accepted(target: Target, timeout: float) -> WebSocket:
    if target.port not in _listeners:
        listen(target.port)
    listener = _listeners[target.port]
    listener.settimeout(timeout)
    sock, _ = listener.accept()
    _opened.append(sock)
    sock.settimeout(timeout)
    request, _ = _head(sock)
    key = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:"))
    digest = hashlib.sha1((key.split(b":")[1].strip().decode() + _GUID).encode()).digest()
    sock.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
    return WebSocket(sock, mask=False)


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        if not piece:
            raise Ended("end of stream in the handshake")
        data += piece
    found, _, rest = data.partition(b"\r\n\r\n")
    return found, rest


def closed_within(sock: socket.socket, seconds: float) -> float | None:
    """The seconds until the other side ends the connection or sends a close frame; None if it does not in time."""
    start = time.monotonic()
    while (left := start + seconds - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            data = sock.recv(65536)
        except TimeoutError:
            return None
        except OSError:
            return time.monotonic() - start
        if not data or data[0] & 15 == wire.CLOSE:
            return time.monotonic() - start
    return None
