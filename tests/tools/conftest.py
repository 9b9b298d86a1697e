from __future__ import annotations

from collections.abc import AsyncIterator

import msgpack
import pytest
from aiohttp import web

from tests.messages import chunk


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a server that accepts hello, and says nothing more."""

    async def hello(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if b"wslink.hello" in message.data:
                accepted = {"clientID": "c1", "features": ["subscribe"]}
                welcome = {"wslink": "1.0", "id": "system:c0:0", "result": accepted}
                await socket.send_bytes(chunk(msgpack.packb(welcome)))
        return socket

    site = web.Application()
    site.router.add_get("/ws", hello)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    await runner.cleanup()
