"""Connections that need not go through aiohttp's request handling, and those that must."""

from __future__ import annotations

import asyncio
import base64
import gc
import os
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from picows import WSUpgradeRequest

from tests.conftest import Open, Serve
from wslink import App, Limits, register
from wslink.backends.aiohttp import WebAppServer
from wslink.transport.picows import taking_over
from wslink.websocket import LinkProtocol, ServerProtocol


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the WebSockets that aiohttp routed."""
    paths: list[str] = []
    take_over = taking_over.take_over

    def spy(request: web.Request, *args: Any) -> Any:
        paths.append(request.path_qs)
        return take_over(request, *args)

    monkeypatch.setattr("wslink.transport.picows.taking_over.take_over", spy)
    return paths


async def answer(url: str, *lines: str, pieces: int = 1) -> str:
    """The head of the answer to a request, sent in `pieces`."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "\r\n".join([*lines, "", ""]).encode()
    step = len(head) // pieces + 1
    for start in range(0, len(head), step):
        writer.write(head[start : start + step])
        await asyncio.sleep(0.02)
    try:
        return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode()
    finally:
        writer.transport.abort()


def upgrade(path: str = "/ws", version: str = "1.1", **more: str) -> list[str]:
    key = base64.b64encode(os.urandom(16)).decode()
    headers = {"Host": "here", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers = {**headers, "Sec-WebSocket-Key": key, **{name.replace("_", "-"): value for name, value in more.items()}}
    return [f"GET {path} HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items() if value)]


async def test_connections_do_not_need_aiohttp(app: App, serve: Serve, peers: Open, routed: list[str]) -> None:
    app.method("add")(lambda a, b: a + b)
    url = await serve(app, engine="picows")
    for generation in (1, 2, 1, 2):
        peer = await peers(url, generation, hello={})
        assert (await peer.call("add", 1, 2))["result"] == 3
    assert "101" in await answer(url, *upgrade("/ws?token=1"))
    assert not routed


async def test_no_other_spelling_of_a_path_is_remembered(app: App, serve: Serve, routed: list[str]) -> None:
    url = await serve(app, engine="picows")
    spellings = ["/%77s", "/w%73", "/%77%73"]
    for path in [*spellings, *spellings]:
        assert "101" in await answer(url, *upgrade(path))
    assert len(routed) == 6


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (upgrade(Origin="http://evil.example"), 403),
        (upgrade(Upgrade=""), 426),
        (upgrade(Sec_WebSocket_Key="short"), 426),
        (upgrade(Sec_WebSocket_Version="3"), 426),
        (upgrade("/elsewhere"), 404),
        (upgrade("/ws/"), 404),
        (upgrade("/%77s"), 101),
        (upgrade(Upgrade="WebSocket"), 101),
        (["HEAD /ws HTTP/1.1", "Host: here"], 426),
        (["GET /ws HTTP/1.1", "Host: here"], 426),
        (["GET /ws HTTP/1.1", "nonsense"], 400),
        (upgrade(Sec_WebSocket_Extensions="permessage-deflate; unknown"), 101),
    ],
)
async def test_later_connections_are_answered_as_the_first(
    lines: list[str], status: int, app: App, serve: Serve, peers: Open
) -> None:
    url = await serve(app, engine="picows", host="127.0.0.1")
    first = await answer(url, *lines)
    assert first.split()[1] == str(status)
    await peers(url, hello={})
    later = await answer(url, *lines)
    assert later.split()[1] == str(status)
    assert (await answer(url, *lines, pieces=3)).split()[1] == str(status)


async def test_max_clients_counts_later_connections(serve: Serve, peers: Open) -> None:
    """LIM-11."""
    url = await serve(App(secret="secret", limits=Limits(max_clients=2)), engine="picows")
    for _ in range(2):
        await peers(url, hello={})
    head = await answer(url, *upgrade())
    assert head.split()[1] == "503"


async def test_connections_that_send_nothing_end_with_the_server(app: App) -> None:
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await asyncio.sleep(0.05)
    await asyncio.wait_for(server.stop(), 5)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_what_the_client_said_in_its_handshake_is_not_kept(app: App, serve: Serve, peers: Open) -> None:
    before = requests()  # some may be left, by earlier tests, to the garbage collector
    url = await serve(app, engine="picows")
    for _ in range(2):
        await peers(url, hello={})
    new = [one for one in requests() if not any(one is other for other in before)]
    assert new
    assert not any(one.headers for one in new)


def requests() -> list[WSUpgradeRequest]:
    return [one for one in gc.get_objects() if isinstance(one, WSUpgradeRequest)]


# The released API: what software does with `server.app` counts for every connection.


class Adder(LinkProtocol):
    @register("add")
    def add(self, a: float, b: float) -> float:
        return a + b


class Protocol(ServerProtocol):
    def initialize(self) -> None:
        self.registerLinkProtocol(Adder())
        self.updateSecret("secret")


Change = Callable[[web.Application], Awaitable[None] | None]


async def connections(protocol: ServerProtocol, count: int, change: Change | None = None) -> WebAppServer:
    """Serve `protocol`, connect `count` times, one after the other, and stop."""
    server = WebAppServer({"host": "127.0.0.1", "port": 0, "ws": {"/ws": protocol}, "handle_signals": False})
    if change is not None:
        change(server.app)
    serving = asyncio.create_task(server.start())
    while not server.get_port():
        await asyncio.sleep(0.01)
    async with aiohttp.ClientSession() as http:
        for _ in range(count):
            async with http.ws_connect(f"ws://127.0.0.1:{server.get_port()}/ws"):
                await asyncio.sleep(0.02)
    await server.stop()
    await serving
    return server


async def test_the_released_api_does_not_need_aiohttp_for_connections(routed: list[str]) -> None:
    await connections(Protocol(), 3)
    assert not routed


async def test_what_has_been_looked_at_needs_aiohttp_for_the_first_connection_alone(routed: list[str]) -> None:
    await connections(Protocol(), 3, lambda app: None)
    assert len(routed) == 1


async def test_a_middleware_sees_every_connection(routed: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLINK_ENGINE", "picows")
    seen: list[str] = []

    @web.middleware
    async def watch(request: web.Request, handler: Any) -> web.StreamResponse:
        seen.append(request.path)
        response: web.StreamResponse = await handler(request)
        return response

    await connections(Protocol(), 3, lambda app: app.middlewares.append(watch))
    assert seen == ["/ws"] * 3
    assert len(routed) == 3


async def test_on_connect_sees_every_request(routed: list[str]) -> None:
    agents: list[str] = []

    class Curious(Protocol):
        def onConnect(self, request: web.Request, client_id: str) -> None:
            agents.append(request.headers["User-Agent"])

    await connections(Curious(), 3)
    assert len(agents) == len(routed) == 3


async def test_an_application_that_chooses_by_host_sees_every_request(routed: list[str]) -> None:
    await connections(Protocol(), 2, lambda app: app.add_domain("other.example", web.Application()))
    assert len(routed) == 2
