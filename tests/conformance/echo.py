"""What carries sessions, with an echo in the place of the session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from wslink import Limits
from wslink.http.site import Site
from wslink.session.identity import Opening
from wslink.session.state import State
from wslink.transport.aiohttp import AiohttpConnection
from wslink.transport.base import TransportOptions, find_engine
from wslink.transport.private import client_guard, client_transport, guarding_connector
from wslink.wire.frames import Frame

LIMITS = Limits(max_msg_size=64 << 20)


class Echo:
    """Sends back what it is given (session.ports.FrameReceiver)."""

    state = State.OPEN
    client_id = "echo"

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def receive(self, binary: bool, data: Any) -> None:
        payload = data.encode() if isinstance(data, str) else bytes(data)
        self._transport.send((Frame(binary, (payload,), len(payload), False),))

    def charge(self, seconds: float) -> None: ...

    chunked = False

    def uncount(self, size: int) -> None: ...

    def resume(self) -> None: ...

    def closed(self, asked: bool = False) -> None: ...

    def close(self, code: int, reason: str) -> None:
        self._transport.close(code, reason)


@asynccontextmanager
async def serving(engine: str) -> AsyncIterator[str]:
    """The URL of a server whose WebSockets `engine` carries."""

    async def handle(request: web.Request) -> web.StreamResponse:
        options = TransportOptions(LIMITS, 0, True, lambda transport, opening: Echo(transport), lambda transport: None)  # type: ignore[arg-type, return-value]
        return await find_engine(engine).serve_request(request, options, Opening())

    application = web.Application()
    application.router.add_get("/", handle)
    site = Site(application, "127.0.0.1", 0, None)
    port = await site.start()
    try:
        yield f"ws://127.0.0.1:{port}/"
    finally:
        await site.stop()


async def dial(url: str) -> None:
    """Echo over a connection that is dialled, as a reverse connection is, until it ends."""
    async with (
        aiohttp.ClientSession(connector=guarding_connector()) as http,
        http.ws_connect(url, autoping=False, autoclose=False, max_msg_size=LIMITS.max_frame + 1, compress=0) as socket,
    ):
        connection = AiohttpConnection(socket, client_transport(socket), 0, LIMITS, client_guard(socket))  # type: ignore[arg-type]
        await connection.run(Echo(connection))


async def dial_as_client(url: str) -> None:
    """Echo over the Python client's socket."""
    from wslink.client.socket import Socket

    http = aiohttp.ClientSession()
    raw = await http.ws_connect(url, max_msg_size=LIMITS.max_message, autoclose=False)
    socket = Socket(http, raw)  # type: ignore[arg-type]

    async def take(binary: bool, data: Any) -> None:
        await (raw.send_bytes(bytes(data)) if binary else raw.send_str(data))

    try:
        await socket.read(take)
        await socket.close()
    finally:
        await socket.release()
        await asyncio.sleep(0)
