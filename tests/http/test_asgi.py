"""The ASGI backend under a real uvicorn, both generations, with what other backends are tested for."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

import wslink
from tests.asgi_server import under_uvicorn
from tests.conftest import Open
from tests.session.returning import Returning
from tests.transport.raw import RawSocket
from wslink import App, Limits

HELLO = {"secret": "secret"}
both = pytest.mark.parametrize("generation", [1, 2])


@pytest.fixture
async def mounted() -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:

        async def start(app: App, **settings: Any) -> str:
            outer = Starlette(routes=[Mount("/below/mount", app.asgi(**settings))])
            port = await stack.enter_async_context(under_uvicorn(outer, "on", ws_max_size=64 << 20))
            return f"ws://127.0.0.1:{port}/below/mount/ws"

        yield start


async def test_a_client_that_lost_its_connection_returns(app: App, mounted: Any) -> None:
    """RES-6, RES-9; a close with code 1000 ends the session."""
    app.method("test.echo")(lambda value: value)
    client = Returning(await mounted(app))
    try:
        first = await client.connect()
        topic = app.topic("test.topic")
        await client.subscribe(1, "test.topic")
        await client.cut()
        for value in range(3):
            topic.publish(value)
        assert (await client.connect())["clientID"] == first["clientID"]
        await client.until(lambda: client.publications == [0, 1, 2])
        await client._stop_reading()
        assert (await client.connect())["clientID"] == first["clientID"]  # while the old connection is open
        assert await client.call("test.echo", 5) == 5
        await client.leave()
        while app.clients:
            await asyncio.sleep(0.01)
        assert (await client.connect())["resume"]["reason"] == "expired"
    finally:
        await client.close()


@pytest.mark.parametrize("root", ["/live", "/live/"])
async def test_it_is_found_below_the_servers_root_path(app: App, root: str) -> None:
    app.method("test.echo")(lambda value: value)
    inner = app.asgi()

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "root_path": root, "path": f"/live{scope['path']}"}, receive, send)

    async with (
        under_uvicorn(outer) as port,
        wslink.connect(f"ws://127.0.0.1:{port}/ws", secret="secret", reconnect=False) as link,
    ):
        assert await link.call("test.echo", 7) == 7


@both
async def test_calls_binary_and_publications(app: App, mounted: Any, peers: Open, generation: int) -> None:
    """DET-1, MSG-7."""
    topic = app.topic("test.topic")

    @app.method("test.publish")
    def publish(value: Any) -> Any:
        topic.publish({"value": value})
        return value

    peer = await peers(await mounted(app), generation, hello=HELLO)
    value = b"bytes" if generation == 2 else await peer.attach("wslink_bin1", b"bytes")
    await peer.start("test.publish", value)
    assert [(await peer.receive())["result"] for _ in range(2)] == [b"bytes", {"value": b"bytes"}]


async def test_large_messages_go_both_ways(app: App, mounted: Any, peers: Open) -> None:
    app.method("test.echo")(lambda value: value)
    peer = await peers(await mounted(app), hello=HELLO)
    data = bytes(range(256)) * 40_000
    assert (await peer.call("test.echo", data))["result"] == data


async def test_a_stalled_client_delays_nobody_and_is_ended(mounted: Any, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_backlog=20 << 20))
    frames = app.topic("test.frame")
    url = await mounted(app)
    stopped, healthy = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    stopped.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for n in range(60):
        frames.publish({"n": n, "pixels": bytes(1 << 20)})
        assert (await healthy.publication())["result"]["n"] == n
    assert list(app.clients) == [healthy.client_id]
    stopped.socket._response.connection.transport.abort()  # type: ignore[union-attr]


async def test_a_client_is_forgotten_when_it_goes(app: App, mounted: Any, peers: Open) -> None:
    gone: list[str] = []
    app.on_disconnect(gone.append)
    peer = await peers(await mounted(app), hello=HELLO)
    await peer.close()
    while not gone:
        await asyncio.sleep(0.01)
    assert not app.clients


async def test_limits_close_with_their_code_and_reason(
    mounted: Any, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", "100000")
    url = await mounted(App(secret="secret"))
    peer = await peers(url, hello=HELLO)
    await peer.socket.send_bytes(bytes(105_000))
    assert await peer.closed() == (1009, "a message is at most 104096 bytes")
    early = await peers(url)
    await early.socket.send_bytes(bytes(70_000))
    assert (await early.closed())[0] == 1009


async def test_clients_without_hello_make_room_for_others(mounted: Any, peers: Open) -> None:
    """LIM-11."""
    app = App(secret="secret", limits=Limits(max_clients=2))
    url = await mounted(app)
    friend = await peers(url, hello=HELLO)
    silent = [await RawSocket.open(url) for _ in range(3)]
    another = await peers(url, hello=HELLO)
    assert len(app.clients) == 2
    for peer in (friend, another):
        assert "error" in await peer.call("nothing")
    for socket in silent[:2]:
        assert await socket.ended()
    for socket in silent:
        socket.close()


async def test_daphne_is_warned_of(app: App, mounted: Any, peers: Open, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setitem(sys.modules, "daphne.server", object())
    url = await mounted(app)
    for _ in range(2):
        await peers(url, hello=HELLO)
    assert caplog.text.count("daphne drops messages of over 1 MiB") == 1
