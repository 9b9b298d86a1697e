"""A relay with what it leads to, and peers of it."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from wslink.relay.options import Options
from wslink.relay.service import Relay

TOKEN, OTHER = "a token of the client", "a token of the process"
MASK = bytes(4)
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Place:
    """Servers of this process, and a client of them."""

    def __init__(self) -> None:
        self.runners: list[web.AppRunner] = []
        self.http = aiohttp.ClientSession()

    async def serve(self, application: web.Application, port: int = 0) -> int:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        self.runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return int(runner.addresses[0][1])

    async def relay(self, **options: Any) -> str:
        port = await self.serve(Relay(Options(**{"retry": 0.3, "wait": 0.5, **options})).application())
        return f"http://127.0.0.1:{port}"

    async def echo(self, port: int = 0) -> int:
        application = web.Application()
        application.router.add_get("/{path:.*}", _echo)
        return await self.serve(application, port)

    async def dial(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(url, max_msg_size=0, **options)

    async def close(self) -> None:
        await self.http.close()
        for runner in reversed(self.runners):
            await runner.cleanup()

    async def refused(self, url: str, **options: Any) -> int:
        """The status that a handshake is refused with."""
        headers = {**HANDSHAKE, **options.pop("headers", {})}
        async with self.http.get(url, headers=headers, **options) as response:
            return response.status


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    if "tell" in request.path:
        await socket.send_str(f"{request.raw_path} {request.headers.get('Authorization')}")
    async for message in socket:
        await (socket.send_bytes if message.type is WSMsgType.BINARY else socket.send_str)(message.data)
    return socket


@contextlib.asynccontextmanager
async def speaking(say: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a server that speaks no WebSocket: `say` writes to each connection. They end with the block."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await say(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A client's frame."""
    return struct.pack(">BB", 0x80 | opcode, 0x80 | len(payload)) + MASK + payload


class Raw:
    """A peer that reads nothing unless it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, url: str, *headers: str) -> Raw:
        host, _, path = url.removeprefix("http://").partition("/")
        reader, writer = await asyncio.open_connection(*host.split(":"), limit=2**16)
        lines = [f"{name}: {value}" for name, value in {"Host": host, **HANDSHAKE}.items()]
        writer.write("\r\n".join([f"GET /{path} HTTP/1.1", *lines, *headers, "", ""]).encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        return cls(reader, writer)

    async def flood(self, data: bytes, seconds: float) -> None:
        """Send the same again and again, as fast as it is taken."""
        end = time.monotonic() + seconds
        with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
            while time.monotonic() < end:
                self.writer.write(data)
                await asyncio.wait_for(self.writer.drain(), max(0.01, end - time.monotonic()))

    async def rest(self, patience: float = 5) -> bytes:
        with contextlib.suppress(asyncio.TimeoutError, ConnectionError):
            return await asyncio.wait_for(self.reader.read(-1), patience)
        return b""


async def is_held_back(socket: aiohttp.ClientWebSocketResponse) -> None:
    async def flood() -> None:
        for _ in range(64):
            await socket.send_bytes(bytes(2**20))

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(flood(), 1)
