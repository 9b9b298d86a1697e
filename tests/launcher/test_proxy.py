"""The session proxy, with sessions that are real servers."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from tests.launcher.support import Running, launching

#: A server that tells what it got, and echoes over WebSocket.
SERVER = """
import sys
from aiohttp import web

async def tell(request):
    body = await request.read()
    return web.json_response({
        "path": request.raw_path, "method": request.method, "size": len(body), "headers": dict(request.headers)
    }, status=int(request.query.get("status", 200)))

async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(64):
        await response.write(bytes(65536))
    return response

async def echo(request):
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    await socket.send_str(str(dict(request.headers)))
    async for message in socket:
        if message.data == "leave":
            await socket.close(code=4001, message=b"as asked")
        elif isinstance(message.data, bytes):
            await socket.send_bytes(message.data)
        else:
            await socket.send_str(message.data)
    return socket

async def stuck(request):
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    import asyncio
    await asyncio.sleep(60)
    return socket

app = web.Application(client_max_size=2**26)
app.router.add_get("/ws", echo)
app.router.add_get("/stuck", stuck)
app.router.add_get("/stream", stream)
app.router.add_route("*", "/{path:.*}", tell)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=lambda *_: print("it is ready", flush=True))
"""
APPS = {"server": {"cmd": [sys.executable, "-c", SERVER, "${port}"], "ready_line": "it is ready"}}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with launching(tmp_path, apps=APPS, ports=3, timeout=15) as one:
        yield one


def base(running: Running, session: dict[str, Any]) -> str:
    """The session's address, with its token."""
    path = session["sessionURL"].removeprefix("ws://USE_HOST").removesuffix("/ws")
    return f"{running.url}{path}"


async def told(running: Running, url: str | URL, method: str = "GET", **options: Any) -> Any:
    async with running.http.request(method, url, **options) as response:
        assert response.status == 200, await response.text()
        return await response.json()


class TestHTTP:
    async def test_requests_arrive_as_they_are(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        exact = URL(f"{url}/a%20b/c?x=1&y=%2F", encoded=True)
        seen = await told(running, exact, "PUT", data=io.BytesIO(bytes(2_000_000)), headers={"X-Mine": "1"})
        assert (seen["path"], seen["method"], seen["size"]) == ("/a%20b/c?x=1&y=%2F", "PUT", 2_000_000)
        headers = seen["headers"]
        assert headers["X-Mine"] == "1"
        assert headers["X-Forwarded-Host"] == running.url.removeprefix("http://")
        assert headers["X-Forwarded-For"] == "127.0.0.1"

    async def test_answers_are_streamed(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        async with running.http.get(f"{url}/stream") as response:
            assert len(await response.read()) == 64 * 65536

    async def test_statuses_pass(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        async with running.http.get(f"{url}/?status=418") as response:
            assert response.status == 418

    async def test_the_cookie_opens_too_and_stays_here(self, running: Running) -> None:
        async with running.http.post(f"{running.url}/paraview/", json={"application": "server"}) as response:
            session, cookie = await response.json(), response.cookies["wslink-session"]
        assert cookie["path"] == f"/paraview/session/{session['id']}/"
        assert cookie["httponly"]
        assert cookie["samesite"] == "Strict"
        url = f"{running.url}/paraview/session/{session['id']}/page"
        seen = await told(running, url, headers={"Cookie": f"wslink-session={cookie.value}; other=1"})
        assert seen["path"] == "/page"
        assert seen["headers"]["Cookie"] == "other=1"


class TestWebSocket:
    async def test_messages_of_any_size(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        async with running.http.ws_connect(f"{url}/ws", max_msg_size=0) as socket:
            headers = await socket.receive_str()
            assert "X-Forwarded-For" in headers
            assert "wslink-session" not in headers
            for size in (0, 1, 125, 126, 65535, 65536, 8 * 2**20, 24 * 2**20):
                await socket.send_bytes(bytes(size))
                assert len(await socket.receive_bytes()) == size

    async def test_a_close_keeps_its_code(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        async with running.http.ws_connect(f"{url}/ws") as socket:
            await socket.receive()
            await socket.send_str("leave")
            message = await socket.receive()
            assert (message.type, message.data, message.extra) == (aiohttp.WSMsgType.CLOSE, 4001, "as asked")

    async def test_compression_is_between_the_ends(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        async with running.http.ws_connect(f"{url}/ws", compress=15) as socket:
            assert socket.compress
            await socket.receive()
            await socket.send_str("x" * 100_000)
            assert await socket.receive_str() == "x" * 100_000

    async def test_a_session_that_does_not_read_holds_its_client_back(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        # The session answers no close, either.
        closing = aiohttp.ClientWSTimeout(ws_close=0.1)
        async with running.http.ws_connect(f"{url}/stuck", timeout=closing) as socket:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(_flood(socket), 2)
            assert running.launcher.sessions
        # What waited was in sockets' buffers; nothing grew here.

    async def test_the_end_of_a_session_ends_its_connections(self, running: Running) -> None:
        session = await running.start("server")
        async with running.http.ws_connect(f"{base(running, session)}/ws") as socket:
            await socket.receive()
            (only,) = running.launcher.sessions.values()
            assert only.connections == 1
            await running.ask("DELETE", session["id"])
            assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)
            await asyncio.sleep(0.05)
            assert only.connections == 0

    async def test_a_foreign_page_is_refused(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await running.http.ws_connect(f"{url}/ws", headers={"Origin": "https://evil.example"})
        assert refused.value.status == 403
        async with running.http.ws_connect(f"{url}/ws", headers={"Origin": running.url}) as socket:
            await socket.receive()

    async def test_a_path_that_is_no_websocket(self, running: Running) -> None:
        url = base(running, await running.start("server"))
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await running.http.ws_connect(f"{url}/page")
        assert refused.value.status == 502


async def _flood(socket: aiohttp.ClientWebSocketResponse) -> None:
    sent = 0
    while True:
        await socket.send_bytes(bytes(2**20))
        sent += 1
        assert sent < 64, "a stuck session took 64 MiB"


class TestTokens:
    async def test_a_token_opens_its_own_session_alone(self, running: Running) -> None:
        one, other = await running.start("server"), await running.start("server")
        crossed = base(running, one).replace(one["id"], other["id"])
        token = crossed.rsplit("/", 1)[1]
        for url, headers in (
            (f"{crossed}/page", {}),
            (f"{running.url}/paraview/session/{other['id']}/page", {"Cookie": f"wslink-session={token}"}),
            (f"{running.url}/paraview/session/{other['id']}/page", {}),
            (f"{running.url}/paraview/session/{other['id']}/{token[:-1]}/page", {}),
            (f"{running.url}/paraview/session/{'x' * 36}/{token}/page", {}),
        ):
            async with running.http.get(url, headers=headers) as response:
                assert response.status == 404, url

    async def test_a_token_ends_with_its_session(self, running: Running) -> None:
        session = await running.start("server")
        await running.ask("DELETE", session["id"])
        async with running.http.get(f"{base(running, session)}/page") as response:
            assert response.status == 404

    @pytest.mark.parametrize("path", ["..", "%2e%2e/%2e%2e", "//evil.example/", "@evil.example/", "%0d%0aX:%20y", "?x"])
    async def test_no_path_leads_elsewhere(self, running: Running, path: str) -> None:
        url = base(running, await running.start("server"))
        async with running.http.get(URL(f"{url}/{path}", encoded=True)) as response:
            if response.status == 200:
                seen = await response.json()
                assert seen["headers"]["Host"].startswith("127.0.0.1:")
                assert "X" not in seen["headers"]

    async def test_a_session_that_cannot_be_reached(self, tmp_path: Path) -> None:
        async with launching(tmp_path) as running:
            url = base(running, await running.start("good"))
            async with running.http.get(f"{url}/page") as response:
                assert response.status == 502
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await running.http.ws_connect(f"{url}/ws")
            assert refused.value.status == 502


class TestReleasedAddress:
    """A `sessionURL` that names the session in its query needs no mapping in a web server."""

    @pytest.fixture
    async def mapped(self, tmp_path: Path) -> AsyncIterator[Running]:
        released = "ws://USE_HOST/proxy?sessionId=${id}&path=ws"
        async with launching(tmp_path, apps=APPS, ports=3, timeout=15, sessionURL=released) as one:
            yield one

    @pytest.mark.parametrize("case", [str, str.lower])
    async def test_it_opens_the_session(self, mapped: Running, case: Any) -> None:
        session = await mapped.start("server")
        url = session["sessionURL"].replace("ws://USE_HOST", mapped.url)
        async with mapped.http.ws_connect(case(url)) as socket:
            assert "X-Forwarded-For" in await socket.receive_str()
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"

    @pytest.mark.parametrize(
        "query",
        [
            "sessionId=unknown&path=ws",
            "sessionId={id}x&path=ws",
            "sessionId={id}&path=",
            "sessionId={id}&path=ws?x",
            "sessionId={id}&path=..",
            "sessionId={id}&path=%0d%0aws",
            "sessionId={id}",
            "path=ws",
            "",
        ],
    )
    async def test_anything_else_is_not_found(self, mapped: Running, query: str) -> None:
        session = await mapped.start("server")
        url = URL(f"{mapped.url}/proxy?{query.format(id=session['id'])}", encoded=True)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await mapped.http.ws_connect(url)
        assert refused.value.status == 404

    async def test_http_does_not_pass(self, mapped: Running) -> None:
        session = await mapped.start("server")
        async with mapped.http.get(session["sessionURL"].replace("ws://USE_HOST", mapped.url)) as response:
            assert response.status == 404

    async def test_foreign_pages_are_refused(self, mapped: Running) -> None:
        session = await mapped.start("server")
        url = session["sessionURL"].replace("ws://USE_HOST", mapped.url)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await mapped.http.ws_connect(url, headers={"Origin": "http://evil.example"})
        assert refused.value.status == 403

    async def test_it_is_there_for_such_an_address_alone(self, running: Running) -> None:
        session = await running.start("server")
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await running.http.ws_connect(f"{running.url}/proxy?sessionId={session['id']}&path=ws")
        assert refused.value.status == 404
