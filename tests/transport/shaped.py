"""A TCP proxy that passes on so many bytes a second."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

STEP = 0.02


async def _pass_on(source: socket.socket, target: socket.socket, rate: float) -> None:
    loop = asyncio.get_running_loop()
    size = max(int(rate * STEP), 1)
    with contextlib.suppress(OSError):
        while data := await loop.sock_recv(source, size):
            await loop.sock_sendall(target, data)
            await asyncio.sleep(len(data) / rate)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@asynccontextmanager
async def shaped(host: str, port: int, *, down: float = 1e9, up: float = 1e9) -> AsyncIterator[int]:
    """The port of a proxy to `host:port`, with `down` and `up` bytes a second."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()
    sockets: list[socket.socket] = []

    async def serve() -> None:
        while True:
            client, _ = await loop.sock_accept(listener)
            server = socket.socket()
            sockets.extend((client, server))
            for one in (client, server):
                one.setblocking(False)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            await loop.sock_connect(server, (host, port))
            tasks.add(loop.create_task(_pass_on(server, client, down)))
            tasks.add(loop.create_task(_pass_on(client, server, up)))

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    tasks.add(loop.create_task(serve()))
    try:
        yield listener.getsockname()[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in (listener, *sockets):
            one.close()
