"""Connections that say nothing, never end a request's head, or are too many."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import subprocess
import sys
import textwrap
import time
from socket import create_connection

import pytest
from aiohttp import web

from tests.conftest import Open, Serve
from tests.transport.raw import RawSocket
from wslink import App, Limits
from wslink.http import acceptor, fast_path
from wslink.http.site import Site
from wslink.transport.base import ENGINES


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def dial(url: str, said: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    return reader, writer


@pytest.mark.parametrize(("said", "status"), [(b"", b""), (b"GET /ws HTTP/1.1\r\nHost: x\r\n", b"408"), (b"G", b"408")])
async def test_a_head_that_does_not_end_is_not_waited_for(
    said: bytes, status: bytes, app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIM-15."""
    monkeypatch.setattr(fast_path, "HEAD_TIMEOUT", 0.3)
    url = await serve(app)
    connections = [await dial(url, said) for _ in range(3)]
    for reader, writer in connections:
        assert status in await asyncio.wait_for(reader.read(), 3)
        writer.close()


async def test_a_head_that_comes_byte_by_byte_gets_no_more_time(
    app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_path, "HEAD_TIMEOUT", 0.3)
    reader, writer = await dial(await serve(app), b"GET /ws HTTP/1.1\r\nX: ")
    began = time.monotonic()
    while not reader.at_eof() and time.monotonic() - began < 3:
        writer.write(b"x")
        await asyncio.sleep(0.02)
        if b"408" in reader._buffer:  # type: ignore[attr-defined]
            break
    assert 0.2 < time.monotonic() - began < 2
    writer.transport.abort()


async def test_a_connection_that_never_says_hello_is_closed(engine: str, serve: Serve) -> None:
    url = await serve(App(secret="secret", limits=Limits(hello_timeout=0.3)), engine=engine)
    for _ in range(2):
        began = time.monotonic()
        socket = await RawSocket.open(url)
        assert await socket.ended()  # also one that does not answer the close
        assert time.monotonic() - began < 3
        socket.close()


async def test_connections_that_come_together_and_alone_are_all_taken(
    engine: str, app: App, serve: Serve, peers: Open
) -> None:
    """More than are accepted in a few turns of the event loop, then single ones, twice."""
    url = await serve(app, engine=engine)
    address = "127.0.0.1", int(url.split(":")[2].split("/")[0])
    for _ in range(2):
        together = [create_connection(address) for _ in range(100)]  # the event loop has no turn meanwhile
        for one in together:
            one.setblocking(False)
            await asyncio.get_running_loop().sock_sendall(one, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        for one in together:
            answer = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one, 12), 10)
            assert answer == b"HTTP/1.1 404"
            one.close()
        for _ in range(3):
            await peers(url, hello={})


async def test_silent_connections_make_room_for_others(
    engine: str, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wslink.http.site.MAX_OTHERS", 4)
    url = await serve(App(secret="secret", limits=Limits(max_clients=4)), engine=engine)
    silent = [await dial(url) for _ in range(12)]
    peer = await peers(url, hello={})
    await asyncio.sleep(0.1)
    ended = [reader.at_eof() or reader.exception() is not None for reader, _ in silent]
    assert ended[0]
    assert sum(ended) >= 5
    assert not ended[-1]
    assert not peer.socket.closed
    for _, writer in silent:
        writer.transport.abort()


async def test_websockets_without_hello_make_room_for_others(engine: str, serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_clients=3))
    url = await serve(app, engine=engine)
    friend = await peers(url, hello={})
    silent = [await RawSocket.open(url) for _ in range(6)]
    another = await peers(url, hello={})
    third = await peers(url, hello={})
    assert len(app.clients) == 3
    for peer in (friend, another, third):
        assert "error" in await peer.call("nothing")
    with pytest.raises(Exception, match="503"):
        await peers(url)
    for socket in silent:
        socket.close()


async def test_no_descriptors_are_left(tmp_path: object) -> None:
    """It is logged once, and those that are connected are served."""
    code = textwrap.dedent("""
        import asyncio, logging, resource, socket, sys, time
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        logging.basicConfig(stream=sys.stderr)
        import wslink
        from wslink.http import acceptor
        acceptor._descriptors = lambda: 10**6  # the system itself has to say no
        async def main():
            app = wslink.App(secret="secret")
            app.method("add")(lambda a, b: a + b)
            async with await app.serve(port=0, host="127.0.0.1", ready_msg="", handle_signals=False) as server:
                async with wslink.connect(f"ws://127.0.0.1:{server.port}/ws", secret="secret") as link:
                    some = []
                    try:
                        while True:
                            one = socket.socket()
                            one.setblocking(False)
                            some.append(one)
                            one.connect_ex(("127.0.0.1", server.port))
                            await asyncio.sleep(0)
                    except OSError:
                        pass
                    began = time.monotonic()
                    while time.monotonic() - began < 2.5:
                        assert await link.call("add", 1, 2) == 3
                    for one in some:
                        one.close()
                    await asyncio.sleep(1.2)
                async with wslink.connect(f"ws://127.0.0.1:{server.port}/ws", secret="secret") as link:
                    assert await link.call("add", 1, 2) == 3
        asyncio.run(main())
    """)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=subprocess.PIPE)
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 0, said.decode()
    assert said.decode().count("no connections are accepted for a while") == 1, said.decode()
    assert len(said.splitlines()) < 10


async def test_fewer_connections_than_descriptors(app: App, serve: Serve) -> None:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert acceptor.Connections(10**9).limit < soft


async def test_any_application_is_served_within_these_bounds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as the launcher's and the relay's."""
    monkeypatch.setattr(fast_path, "HEAD_TIMEOUT", 0.3)
    monkeypatch.setattr("wslink.http.site.MAX_OTHERS", 3)

    async def handle(request: web.Request) -> web.Response:
        return web.Response(text=await request.text())

    application = web.Application()
    application.router.add_post("/", handle)
    site = Site(application, "127.0.0.1", 0, None, max_clients=0)
    url = f"http://127.0.0.1:{await site.start()}/"
    try:
        posts = [await dial(url, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab") for _ in range(3)]
        await asyncio.sleep(0.1)
        with caplog.at_level(logging.WARNING):
            reader, writer = await dial(url)
            assert await asyncio.wait_for(reader.read(), 2) == b""
            writer.close()
        assert "a connection was refused: 3 are open" in caplog.text
        for reader, writer in posts:
            writer.write(b"cd")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
    finally:
        await site.stop()


async def test_a_tls_handshake_that_does_not_come_is_not_waited_for(
    app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIM-15."""
    pytest.importorskip("cryptography")
    monkeypatch.setattr(acceptor, "TLS_TIMEOUT", 0.3)
    reader, writer = await dial(await serve(app, ssl="adhoc"), b"\x16\x03")
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 3)
    writer.transport.abort()


async def test_connections_in_their_tls_handshake_make_room_for_others(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIM-11."""
    pytest.importorskip("cryptography")
    monkeypatch.setattr("wslink.http.site.MAX_OTHERS", 3)
    url = await serve(App(secret="secret", limits=Limits(max_clients=1)), ssl="adhoc")
    silent = [await dial(url) for _ in range(8)]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    peer = await peers(url.replace("ws://", "wss://"), hello={}, ssl=context)
    assert "error" in await peer.call("nothing")
    for _, writer in silent:
        writer.transport.abort()
