"""A WebSocket client that sends what it is told to, right or wrong, frame by frame."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import ssl
import struct
from typing import Any, NamedTuple
from urllib.parse import urlsplit

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0


class Frame(NamedTuple):
    opcode: int
    payload: bytes
    fin: bool
    rsv1: bool


def call(method: str, *args: Any, number: int = 1) -> bytes:
    """The text of a call in version 1."""
    return json.dumps({"wslink": "1.0", "id": f"rpc:c0:{number}", "method": method, "args": args}).encode()


class RawSocket:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.head = ""

    @classmethod
    async def open(cls, url: str, extensions: str = "", tls: ssl.SSLContext | None = None) -> RawSocket:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=tls, limit=2**20)
        self = cls(reader, writer)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
        ]  # fmt: skip
        if extensions:
            lines.append(f"Sec-WebSocket-Extensions: {extensions}")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        self.head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
        assert " 101 " in self.head, self.head
        return self

    def send(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False, mask: bool = True
    ) -> None:
        first = opcode | fin << 7 | rsv1 << 6
        size = len(payload)
        if size < 126:
            head = struct.pack(">BB", first, size | mask << 7)
        elif size < 65536:
            head = struct.pack(">BBH", first, 126 | mask << 7, size)
        else:
            head = struct.pack(">BBQ", first, 127 | mask << 7, size)
        self.writer.write(head + (bytes(4) if mask else b"") + payload)  # a mask of zeros is a mask

    async def receive(self, timeout: float = 10) -> Frame:
        return await asyncio.wait_for(self._receive(), timeout)

    async def _receive(self) -> Frame:
        first, second = await self.reader.readexactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", await self.reader.readexactly(8))
        return Frame(first & 15, await self.reader.readexactly(size), bool(first & 0x80), bool(first & 0x40))

    async def receive_close(self) -> tuple[int, str]:
        """The code and reason of the close frame, after whatever comes before it."""
        while True:
            frame = await self.receive()
            if frame.opcode == CLOSE:
                return struct.unpack(">H", frame.payload[:2])[0], frame.payload[2:].decode()

    async def ended(self) -> bool:
        """Whether the server ends the connection."""
        try:
            while await asyncio.wait_for(self.reader.read(65536), 10):
                pass
        except ConnectionError:
            pass
        return True

    def close(self) -> None:
        self.writer.transport.abort()


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection is closed, or reset because the client had sent too much."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while piece := await asyncio.wait_for(reader.read(65536), 5):
            answer += piece
    return answer
