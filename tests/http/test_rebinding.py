"""Pages whose own name was made to resolve to this machine (DNS rebinding): they are of the server's origin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest

from tests.asgi_server import under_uvicorn
from wslink import App
from wslink.server import create_webserver
from wslink.session.identity import Credentials, Identity
from wslink.websocket import ServerProtocol

Serving = AbstractAsyncContextManager[int]


def open_app(secret: str | None) -> App:
    """One whose authentication lets in whoever comes from this machine."""
    app = App(secret=secret)

    @app.authenticate
    def from_here(credentials: Credentials) -> Identity | None:
        return Identity("here") if credentials.address == "127.0.0.1" else None

    return app


@contextlib.asynccontextmanager
async def own(engine: str, secret: str | None, **settings: Any) -> AsyncIterator[int]:
    async with await open_app(secret).serve(
        host="127.0.0.1", port=0, ready_msg="", handle_signals=False, engine=engine, **settings
    ) as server:
        yield server.port


@contextlib.asynccontextmanager
async def released(backend: str, secret: str | None, **settings: Any) -> AsyncIterator[int]:
    protocol = ServerProtocol()
    protocol.updateSecret(secret or "wslink-secret")
    config = {"host": "127.0.0.1", "port": 0, "handle_signals": False, "ws": {"ws": protocol}}
    server = create_webserver(config, backend)
    task = asyncio.create_task(server.start())
    while not server.get_port():
        await asyncio.sleep(0.01)
    yield server.get_port()
    await server.stop()
    await task


@contextlib.asynccontextmanager
async def asgi(secret: str | None, **settings: Any) -> AsyncIterator[int]:
    async with under_uvicorn(open_app(secret).asgi(**settings)) as port:
        yield port


SERVERS: dict[str, Callable[..., Serving]] = {
    "picows": lambda secret, **settings: own("picows", secret, **settings),
    "aiohttp": lambda secret, **settings: own("aiohttp", secret, **settings),
    "asgi": asgi,
    "released": lambda secret, **settings: released("aiohttp", secret, **settings),
    "tornado": lambda secret, **settings: released("tornado", secret, **settings),
}
kinds = pytest.mark.parametrize("kind", SERVERS)


async def opens(port: int, name: str, asked: str = "", **headers: str) -> bool:
    """Whether a page of `http://name:port`, which resolves to the server, gets a WebSocket; or of the port
    `asked`, which leads to a proxy in front."""
    host = f"{name}{asked or f':{port}'}"
    async with aiohttp.ClientSession() as session:
        try:
            socket = await session.ws_connect(
                f"ws://127.0.0.1:{port}/ws", headers={"Host": host, "Origin": f"http://{host}", **headers}
            )
        except aiohttp.WSServerHandshakeError as refused:
            assert refused.status == 403
            return False
        await socket.close()
        return True


@kinds
async def test_a_page_under_a_name_that_anybody_may_own_is_refused(kind: str) -> None:
    """Also on later connections, which are routed past the HTTP server."""
    async with SERVERS[kind](None) as port:
        for name in ("127.0.0.1", "localhost", "app.localhost", "workstation"):
            assert await opens(port, name)
        for name in ("evil.test", "localhost.evil.test", "127.0.0.1.evil.test", "evil.test."):
            assert not await opens(port, name)


@kinds
async def test_a_page_behind_a_proxy_that_says_so_is_let_in(kind: str) -> None:
    async with SERVERS[kind](None) as port:
        assert await opens(port, "example.org", **{"X-Forwarded-For": "10.0.0.9"})
        assert await opens(port, "example.org", **{"x-real-ip": "10.0.0.9"})
        assert await opens(port, "hub.example.org", **{"X-Forwarded-Context": "/user/ada/proxy/8080"})  # jupyter's


@kinds
async def test_a_page_that_asks_for_another_port_comes_through_a_proxy(kind: str) -> None:
    """Such as jupyter-server-proxy, which passes the Host on and says nothing of itself, or nginx on port 80."""
    async with SERVERS[kind](None) as port:
        assert await opens(port, "jupyter.example.org", ":8888")
        assert await opens(port, "example.org", ":80")


@kinds
async def test_a_page_needs_the_secret_where_one_was_set(kind: str) -> None:
    """So it is no matter by which name it asks, and proxies need not say that they are there."""
    async with SERVERS[kind]("chosen") as port:
        assert await opens(port, "example.org")


@kinds
async def test_a_page_that_is_listed_is_let_in(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSLINK_ORIGINS", "http://example.org:*")
    async with SERVERS[kind](None) as port:
        assert await opens(port, "example.org")
        assert not await opens(port, "evil.test")
