"""Options of the released API that are None, or no number or text: released servers start with them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from wslink import server
from wslink.websocket import ServerProtocol


@pytest.mark.parametrize(
    "odd",
    [{"timeout": None}, {"timeout": float("inf")}, {"timeout": float("nan")}, {"timeout": "5"}, {"host": None},
     {"fsEndpoints": "data="}, {"authKey": 12345}, {"authKey": ["a"]}, {"authKey": b"a"}, {"authKey": {}},
     {"content": None}, {"ssl": None}],
)  # fmt: skip
async def test_the_server_starts_and_takes_connections(odd: dict[str, Any]) -> None:
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    class Protocol(ServerProtocol):
        def port_callback(self, given: int) -> None:
            port.set_result(given)

    options = SimpleNamespace(**{"host": "127.0.0.1", "port": 0, "timeout": 0, "nosignalhandlers": True, **odd})
    serving = asyncio.ensure_future(server.start_webserver(options, Protocol, True, exec_mode="coroutine"))
    await asyncio.wait({port, serving}, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    async with aiohttp.ClientSession() as http:
        async with http.get(f"http://127.0.0.1:{port.result()}/ws") as response:
            assert response.status == 426
        async with http.get(f"http://127.0.0.1:{port.result()}/data/pyproject.toml") as response:
            assert response.status == 404
        async with http.ws_connect(f"http://127.0.0.1:{port.result()}/ws") as socket:
            await socket.send_str('{"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{}]}')
            assert "Authentication failed" in await socket.receive_str()
    await server.ws_server.stop()
    await serving
