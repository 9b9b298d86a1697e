"""What has been served and stopped is served again in the same event loop, as often as one likes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import wslink
from tests.asgi_server import under_uvicorn
from wslink import App, CallError
from wslink.server import create_webserver
from wslink.websocket import ServerProtocol


async def talk(url: str) -> None:
    async with wslink.connect(url, secret="secret") as link:
        with pytest.raises(CallError, match="-32601"):
            await link.call("no.such")


async def beneath(application: Any) -> None:
    async with under_uvicorn(application) as port:
        await talk(f"ws://127.0.0.1:{port}/ws")


async def by_itself(app: App) -> None:
    async with await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="") as server:
        await talk(f"ws://127.0.0.1:{server.port}/ws")


async def test_an_app_by_itself_and_as_an_asgi_application(app: App) -> None:
    mounted = app.asgi()
    for _ in range(2):
        await beneath(mounted)
        await by_itself(app)
        await by_itself(app)
        await beneath(app.asgi())


@pytest.mark.parametrize("backend", ["aiohttp", "tornado"])
async def test_a_protocol(backend: str) -> None:
    protocol = ServerProtocol()
    protocol.updateSecret("secret")
    for _ in range(3):
        config = {"port": 0, "host": "127.0.0.1", "ws": {"ws": protocol}, "handle_signals": False}
        server = create_webserver(config, backend)
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(server.start(port.set_result))
        await talk(f"ws://127.0.0.1:{await port}/ws")
        await server.stop()
        await task


async def test_a_protocol_without_a_network() -> None:
    protocol = ServerProtocol()
    protocol.updateSecret("secret")
    for _ in range(3):
        server = create_webserver({"ws": {"ws": protocol}}, "generic")
        task = asyncio.create_task(server.start(None))
        for _ in range(2):
            connection = await server.ws.connect()
            connection.on_message(lambda binary, content: asyncio.sleep(0))
            assert not connection.closed
            hello = type(
                "Frame", (), {"data": '{"id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "secret"}]}'}
            )
            await connection.send(False, hello)
            await asyncio.sleep(0)
            assert server.ws.isClientAuthenticated(connection.client_id)
            await connection.close()
        await server.stop()
        await task
