"""Tornado's WebSocket client, which Jupyter's proxies dial with: it keeps the window of its compressor unless it says
otherwise, and ignores what it does not understand of an answer."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve
from tests.ports import free_port
from wslink import App
from wslink.transport.base import ENGINES

tornado = pytest.importorskip("tornado")
HELLO = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "secret"}]}


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def echo(app: App) -> App:
    app.method("echo")(lambda value: value)
    return app


def call(number: int, value: Any) -> str:
    return json.dumps({"wslink": "1.0", "id": f"rpc:c0:{number}", "method": "echo", "args": [value]})


async def test_many_messages_over_one_connection(engine: str, echo: App, serve: Serve) -> None:
    from tornado.websocket import websocket_connect

    url = await serve(echo, engine=engine)
    for _ in range(2):  # by both ways into the server
        link = await websocket_connect(url, compression_options={})
        await link.write_message(json.dumps(HELLO))
        assert "clientID" in str(await link.read_message())
        text = os.urandom(20_000).hex()
        for number in range(5):
            await link.write_message(call(number, text))
            answer = await link.read_message()
            assert answer is not None, (link.close_code, link.close_reason)
            assert json.loads(answer)["result"] == text
        link.close()


async def up(port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            await asyncio.sleep(0.1)
    raise AssertionError("Jupyter's server has not started")


@pytest.fixture
async def jupyter(tmp_path: Path) -> AsyncIterator[str]:
    """The address of a Jupyter server with jupyter-server-proxy, below a prefix, as a hub starts one."""
    pytest.importorskip("jupyter_server_proxy", reason="needs the dependency group conformance")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", f"--port={port}", "--ip=127.0.0.1",
        "--ServerApp.base_url=/user/ada/", "--IdentityProvider.token=token-of-ada", "--ServerApp.port_retries=0",
        "--ServerApp.allow_remote_access=True", "--ServerApp.jpserver_extensions={'jupyter_server_proxy': True}",
        env={**os.environ, **dict.fromkeys(("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"), str(tmp_path))},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await asyncio.wait_for(up(port, process), 40)
        yield f"127.0.0.1:{port}/user/ada"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.timeout(90)
async def test_behind_a_real_jupyter_server_proxy(jupyter: str, engine: str, echo: App, serve: Serve) -> None:
    """Below a prefix, under another host's name, and with the Origin of a page from there."""
    port = (await serve(echo, engine=engine)).split(":")[2].split("/")[0]
    headers = {"Host": "hub.example.org", "Origin": "https://hub.example.org", "Authorization": "token token-of-ada"}
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            async with http.ws_connect(f"http://{jupyter}/proxy/{port}/ws", headers=headers, compress=15) as link:
                await link.send_str(json.dumps(HELLO))
                assert "clientID" in await link.receive_str(timeout=10)
                for number in range(4):
                    await link.send_str(call(number, text := "text " * 1000))
                    assert json.loads(await link.receive_str(timeout=10))["result"] == text
