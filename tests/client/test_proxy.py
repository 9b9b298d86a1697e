"""Connecting through an HTTP proxy: a real one, small, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

import wslink
from tests.conftest import Serve
from wslink import App, UsageError
from wslink.client.proxy import find_proxy


class HttpProxy:
    """Passes on what it is asked for by CONNECT or by a whole URL, and notes it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[HttpProxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, rest = head.split(b" ", 2)
        self.asked.append(f"{method.decode()} {target.decode()}")
        there = urlsplit(f"//{target.decode()}" if method == b"CONNECT" else target.decode())
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", there.port)
        if method == b"CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            far_writer.write(b" ".join([method, there.path.encode(), rest]))
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()


@pytest.fixture
async def proxy(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HttpProxy]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    async with HttpProxy().running() as running:
        yield running


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("by", ["environment", "argument"])
async def test_a_link_goes_through_the_proxy(
    app: App, serve: Serve, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch, tls: bool, by: str
) -> None:
    app.method("test.one")(lambda: 1)
    url = await serve(app, ssl="adhoc" if tls else "")
    # A name that only the proxy knows.
    url = url.replace("ws://127.0.0.1", f"{'wss' if tls else 'ws'}://far.example")
    address = f"http://127.0.0.1:{proxy.port}"
    monkeypatch.setenv("HTTPS_PROXY" if tls else "HTTP_PROXY", address if by == "environment" else "http://127.0.0.1:1")
    chosen = True if by == "environment" else address
    async with wslink.connect(url, secret="secret", ssl=False, proxy=chosen) as link:
        assert await link.call("test.one") == 1
    port = urlsplit(url).port
    assert proxy.asked == [f"CONNECT far.example:{port}" if tls else f"GET http://far.example:{port}/ws"]


async def test_it_can_be_turned_off(app: App, serve: Serve, proxy: HttpProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    with pytest.raises(wslink.ConnectionClosed, match=r"far\.example"):
        await wslink.connect("ws://far.example:1/ws", proxy=False)
    async with wslink.connect(await serve(app), secret="secret"):  # a loopback address
        assert proxy.asked == []


def test_the_environment_is_read_as_other_clients_do(monkeypatch: pytest.MonkeyPatch, proxy: HttpProxy) -> None:
    monkeypatch.setenv("http_proxy", "http://a:1")
    monkeypatch.setenv("HTTPS_PROXY", "http://b:2")
    monkeypatch.setenv("NO_PROXY", ".inside.example,other.example:81")
    assert find_proxy("ws://x.example/ws", True) == "http://a:1"
    assert find_proxy("wss://x.example/ws", True) == "http://b:2"
    for direct in ("ws://x.inside.example/", "ws://other.example:81/", "ws://localhost:9/", "ws://[::1]:9/"):
        assert find_proxy(direct, True) is None
    monkeypatch.setenv("http_proxy", "socks5://c:3")
    monkeypatch.setenv("ALL_PROXY", "http://d:4")
    assert find_proxy("ws://x.example/ws", True) == "http://d:4"
    for wrong in ("proxy:3128", "socks5://a:1", ""):
        with pytest.raises(UsageError, match="proxy is"):
            wslink.connect("ws://x.example/ws", proxy=wrong)
