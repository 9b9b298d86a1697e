"""HTTP that is loaded when it is needed: what comes meanwhile, and what is the same as if it had been there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.conftest import Open, Serve
from tests.http.test_fast_path import Protocol, answer, routed, upgrade
from wslink import App
from wslink.backends.aiohttp import WebAppServer
from wslink.http import deferred
from wslink.http.serving import Serving
from wslink.websocket import ServerProtocol

__all__ = ["routed"]  # a fixture

SLOW = 0.4


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let it take its time to be imported."""
    name = f"slow_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"import time\ntime.sleep({SLOW})\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(deferred, "MODULE", name)
    yield
    sys.modules.pop(name, None)


GET = ["GET /health HTTP/1.1", "Host: here"]


async def test_requests_wait_and_connections_go_on_meanwhile(app: App, serve: Serve, peers: Open, slow: None) -> None:
    app.method("add")(lambda a, b: a + b)
    url = await serve(app, engine="picows")
    begin = time.monotonic()
    requests = [asyncio.create_task(answer(url, *GET)) for _ in range(5)]
    await asyncio.sleep(0.05)
    peer = await peers(url, hello={})
    assert (await peer.call("add", 1, 2))["result"] == 3
    assert time.monotonic() - begin < SLOW
    assert {(await one).split()[1] for one in requests} == {"200"}
    assert time.monotonic() - begin > SLOW


async def test_it_loads_beside_threads_that_the_application_keeps_busy(app: App, serve: Serve, slow: None) -> None:
    url = await serve(app)
    loop, done = asyncio.get_running_loop(), threading.Event()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, done.wait)
    try:
        assert "200" in await asyncio.wait_for(answer(url, *GET), 5)
    finally:
        done.set()
        await busy


async def test_a_server_stops_while_it_loads(app: App, slow: None) -> None:
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write("\r\n".join([*GET, "", ""]).encode())
    await asyncio.sleep(0.05)
    begin = time.monotonic()
    await server.stop()
    assert await reader.read() == b""
    assert time.monotonic() - begin < SLOW / 2
    writer.close()


async def test_who_leaves_before_it_has_loaded_is_forgotten(app: App, serve: Serve, slow: None) -> None:
    url = await serve(app)
    host, port = url.split("/")[2].split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join([*GET, "", ""]).encode())
    await asyncio.sleep(0.05)
    writer.transport.abort()
    assert "200" in await answer(url, *GET)


async def test_what_cannot_be_loaded_is_told_and_tried_again(
    app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    start = Serving.start

    async def fail(self: Serving) -> None:
        raise OSError("no memory")

    monkeypatch.setattr(Serving, "start", fail)
    url = await serve(app)
    for _ in range(3):
        assert "500" in await answer(url, *GET)
    assert caplog.text.count("OSError('no memory')") == 2  # in one line, after the first with its traceback
    assert caplog.text.count("Traceback") == 1
    assert "101" in await answer(url, *upgrade())
    monkeypatch.setattr(Serving, "start", start)
    assert "200" in await answer(url, *GET)


async def test_requests_that_come_together_are_answered_in_their_order(app: App, serve: Serve) -> None:
    url = await serve(app)
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "GET {} HTTP/1.1\r\nHost: here\r\n{}\r\n"
    asked = ("/health", ""), ("/nothing", ""), ("/health", "Connection: close\r\n")
    writer.write("".join(head.format(*one) for one in asked).encode())
    told = await asyncio.wait_for(reader.read(), 10)
    assert re.findall(rb"HTTP/1.1 (\d+)", told) == [b"200", b"404", b"200"]
    writer.close()


async def test_a_body_that_follows_its_head_arrives(app: App, serve: Serve) -> None:
    url = (await serve(app)).replace("ws://", "http://").removesuffix("/ws")
    async with aiohttp.ClientSession() as http, http.post(f"{url}/health", data=bytes(1_000_000)) as response:
        assert response.status == 405


async def test_a_server_with_files_loads_it_after_a_while(
    app: App, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wslink.server.server.WARM_UP", 0.05)
    started: list[Serving] = []
    start = Serving.start

    async def note(self: Serving) -> None:
        started.append(self)
        await start(self)

    monkeypatch.setattr(Serving, "start", note)
    await serve(app)
    await serve(App(secret="s"), content=str(tmp_path))
    await asyncio.sleep(0.3)
    assert len(started) == 1


async def test_unusual_routes_are_led_by_aiohttp(app: App, serve: Serve, routed: list[str]) -> None:
    url = await serve(app, ws="ws now")
    assert "101" in await answer(url, *upgrade("/ws%20now"))
    assert routed == ["/ws%20now"]


# The released API: `server.app` may be asked for at any time.


async def serving(server: WebAppServer) -> tuple[asyncio.Task[None], str]:
    task = asyncio.create_task(server.start())
    while not server.get_port() and not task.done():
        await asyncio.sleep(0.01)
    return task, f"http://127.0.0.1:{server.get_port()}"


def config(**more: Any) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": 0, "ws": {"/ws": Protocol()}, "handle_signals": False, **more}


async def test_what_is_asked_for_after_the_start_is_what_serves() -> None:
    server = WebAppServer(config())
    task, url = await serving(server)
    app, runner = server.app, server.runner
    assert runner is not None
    assert runner.app is app is server.app
    assert app.frozen
    with pytest.raises(RuntimeError):
        app.router.add_get("/late", lambda request: None)
    async with aiohttp.ClientSession() as http, http.get(f"{url}/nothing") as response:
        assert response.status == 404
    assert server.app is app
    await server.stop()
    await task


async def test_files_are_found_wherever_the_process_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.html").write_text("here")
    monkeypatch.chdir(tmp_path)
    server = WebAppServer(config(static={"/": "pages"}))
    task, url = await serving(server)
    monkeypatch.chdir("/")
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert await response.text() == "here"
    await server.stop()
    await task


@pytest.mark.parametrize("missing", ["nowhere", os.path.basename(__file__)])
async def test_a_directory_that_there_is_not_is_told_at_the_start(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parent)
    with pytest.raises(ValueError, match="does not exist|is not a directory"):
        await WebAppServer(config(static={"/": missing})).start()


async def test_on_connect_gets_its_request_from_the_first_connection_on() -> None:
    seen: list[Any] = []

    class Curious(ServerProtocol):
        def onConnect(self, request: Any, client_id: str) -> None:
            seen.append(request.path)

    server = WebAppServer(config(ws={"/ws": Curious()}))
    task, url = await serving(server)
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{url}/ws"):
        pass
    await server.stop()
    await task
    assert seen == ["/ws"]
