"""WebSockets whose connection goes to the session itself: no byte passes the launcher, and all else is as if it did."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.launcher.support import Client, LauncherProcess, Running, launching, processes
from tests.transport.raw import to_the_end
from tests.waiting import until
from wslink import connect
from wslink.proxy import fd_passing

#: Tells what the server knows of a connection; in both APIs, and on both event loops.
RELEASED = """
import sys
from wslink import register
from wslink.server import add_arguments, start_webserver
from wslink.websocket import ServerProtocol
import argparse

class Protocol(ServerProtocol):
    def onConnect(self, request, client_id):
        self.headers = dict(request.headers)
    @register("tell")
    def tell(self):
        return self.headers

arguments = ["--host", "127.0.0.1", "--port", sys.argv[1], "--authKey", "the secret"]
start_webserver(add_arguments(argparse.ArgumentParser()).parse_args(arguments), Protocol)
"""
APP = """
import sys
from wslink import App
app = App(secret="the secret")
app.method("tell")(lambda: {})
app.method("size")(lambda data: len(data))
app.method("bytes")(lambda count: bytes(count))
app.run(host="127.0.0.1", port=int(sys.argv[1]))
"""
UVLOOP = "import asyncio, uvloop; asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())\n" + APP


def session_app(program: str, **more: Any) -> dict[str, Any]:
    return {"cmd": [sys.executable, "-c", program, "${port}"], "ready_line": "Starting factory", **more}


CARRIED = {"WSLINK_HANDOFF": ""}
APPS = {
    "released": session_app(RELEASED),
    "carried": session_app(RELEASED, env=CARRIED),
    "app": session_app(APP),
    "aiohttp": session_app(APP, env={"WSLINK_ENGINE": "aiohttp"}),
    "uvloop": session_app(UVLOOP),
}


def address(client: Client, session: dict[str, Any]) -> str:
    return session["sessionURL"].replace("USE_HOST", client.url.removeprefix("http://"))


def holds(process: psutil.Process, port: int) -> bool:
    """Whether a process has a connection that was accepted at `port`."""
    found = process.net_connections("tcp")
    return any(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in found)


def directories(running: Running) -> list[Path]:
    return [Path(one.handoff_socket).parent for one in running.launcher.sessions.values()]


@pytest.mark.parametrize("application", ["released", "app", "aiohttp", "uvloop"])
async def test_the_session_has_the_connection(tmp_path: Path, application: str) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start(application)
        (only,) = running.launcher.sessions.values()
        port = int(running.url.rsplit(":", 1)[1])
        async with connect(address(running, session), secret="the secret") as link:
            assert await link.call("tell") is not None
            (pid,) = processes(session["id"])
            assert holds(psutil.Process(pid), port)
            await until(lambda: only.connections == 1)
        await until(lambda: only.connections == 0)
        assert not holds(psutil.Process(pid), port)


@pytest.mark.parametrize("application", ["app", "aiohttp", "uvloop"])
async def test_messages_of_any_size(tmp_path: Path, application: str) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start(application)
        async with connect(address(running, session), secret="the secret") as link:
            for size in (1, 65536, 24 * 2**20):
                assert await link.call("size", bytes(size)) == size
                assert len(await link.call("bytes", size)) == size


async def test_a_server_sees_what_it_would_see_through_the_tunnel(tmp_path: Path) -> None:
    headers = {"X-Mine": "1", "Cookie": "wslink-session=x; other=2", "X-Forwarded-For": "192.0.2.1"}
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        seen = {}
        for name in ("released", "carried"):
            session = await running.start(name)
            origin = {"Origin": running.url}
            async with connect(address(running, session), secret="the secret", headers={**headers, **origin}) as link:
                found = await link.call("tell")
            assert found.pop("Host") == f"127.0.0.1:{session['port']}"
            found.pop("Sec-WebSocket-Key")
            seen[name] = found
    assert seen["released"] == seen["carried"]
    assert seen["released"]["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
    assert seen["released"]["X-Forwarded-Host"] == running.url.removeprefix("http://")
    assert seen["released"]["Cookie"] == "other=2"


async def test_no_second_request_reaches_the_session(tmp_path: Path) -> None:
    """It would come without the launcher's headers, as from a page of this machine, which needs no secret."""
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        path = address(running, session).split("/", 3)[3].removesuffix("/ws")
        host, port = running.url.removeprefix("http://").split(":")
        upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nHost: localhost\r\n\r\n"
        plain = "GET /wslink/client.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /{path}/wslink/client.js HTTP/1.1\r\n{upgrade}".encode())
        assert b" 200 " in await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)
        writer.write(plain.encode() * 2)
        assert b"HTTP/1.1 " not in await to_the_end(reader)
        writer.close()


async def test_a_request_with_a_body_is_carried(tmp_path: Path) -> None:
    """What follows its head is not in the session's hands."""
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        (only,) = running.launcher.sessions.values()
        url = address(running, session).replace("ws://", "http://")
        headers = {"Upgrade": "websocket", "Connection": "Upgrade"}
        async with running.http.post(url, data=b"GET / HTTP/1.1\r\n\r\n", headers=headers) as response:
            assert response.status in (400, 405, 426, 502)
        assert only.connections == 0


async def test_a_token_and_an_allowed_page_are_still_needed(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        url = address(running, session)
        for wrong, headers in (
            (url.replace(session["id"], "x" * 36), {}),
            (url[:-5] + "x/ws", {}),
            (url, {"Origin": "https://evil.example"}),
        ):
            with pytest.raises(Exception, match="40[34]"):
                await connect(wrong, secret="the secret", headers=headers)


async def test_the_end_of_a_session_ends_its_connections_and_its_folder(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        (only,), (directory,) = running.launcher.sessions.values(), directories(running)
        assert directory.stat().st_mode & 0o777 == 0o700
        async with connect(address(running, session), secret="the secret", reconnect=False) as link:
            await link.call("tell")
            await running.ask("DELETE", session["id"])
            await asyncio.wait_for(link.wait_closed(), 5)
        await until(lambda: only.connections == 0)
        assert not directory.exists()


@pytest.mark.parametrize("application", ["failing", "instant", "missing", "good"])
async def test_no_folder_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, application: str) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "short"))
    (tmp_path / "short").mkdir()
    async with launching(tmp_path) as running:
        await running.post(application)
    assert os.listdir(tmp_path / "short") == []


async def test_where_nothing_listens_it_is_carried(tmp_path: Path) -> None:
    """Such as where the directory was tidied away."""
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        (only,) = running.launcher.sessions.values()
        os.unlink(only.handoff_socket)
        async with connect(address(running, session), secret="the secret") as link:
            assert await link.call("tell") == {}
            assert only.connections == 1


async def test_a_door_that_is_full_is_no_hindrance(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15) as running:
        session = await running.start("app")
        (only,) = running.launcher.sessions.values()
        flood = []
        full = 0
        while full < 3:
            assert len(flood) < 1000
            try:
                flood.append(fd_passing.dial(only.handoff_socket))
                full = 0
            except BlockingIOError:
                full += 1
                await asyncio.sleep(0.05)  # the session may not have accepted all that it will
        async with connect(address(running, session), secret="the secret") as link:
            assert await link.call("tell") == {}
            assert only.connections == 1
        for one in flood:
            one.close()


async def test_viewers_outlive_their_launcher_and_are_counted_again(tmp_path: Path) -> None:
    launcher = LauncherProcess(tmp_path / "launcher", apps=APPS, timeout=15, idle_timeout=1)
    client = await launcher.start()
    session = await client.start("app")
    async with connect(address(client, session), secret="the secret") as link:
        await client.http.close()
        await launcher.kill()
        assert await link.call("tell") == {}
        client = await launcher.start()
        await asyncio.sleep(2.5)  # well over the idle_timeout: it is in use
        assert await link.call("tell") == {}
        assert await client.ask("GET", session["id"]) == (200, session)
        async with connect(address(client, session), secret="the secret") as other:
            assert await other.call("tell") == {}
    await until(lambda: not processes(session["id"]), 15)  # nobody is there
    await client.http.close()
    await launcher.terminate()


async def test_a_viewer_keeps_its_session_and_its_absence_ends_it(tmp_path: Path) -> None:
    async with launching(tmp_path, apps=APPS, timeout=15, idle_timeout=1) as running:
        session = await running.start("app")
        async with connect(address(running, session), secret="the secret") as link:
            await asyncio.sleep(2.5)
            assert await link.call("tell") == {}
        await until(lambda: not running.launcher.sessions, 15)
