"""From start to stop: ports, the ready line, the idle timeout, signals, TLS, the command line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open, Serve
from wslink import App, UsageError
from wslink.transport import tcp
from wslink.transport.heartbeat import Heartbeat

HELLO = {"secret": "secret"}


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "viewer.py").write_text(
        textwrap.dedent("""
            from wslink import App
            app = App(secret="secret")
            other = 7

            @app.method("test.one")
            def one() -> int:
                return 1
        """)
    )
    return tmp_path


@contextlib.contextmanager
def command(directory: Path, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "wslink", *arguments],
        cwd=directory, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def lines_until_serving(process: subprocess.Popen[str]) -> tuple[list[str], str]:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if match := re.search(r"http(s?)://([^/]+)/", line):
            return lines, f"ws{match[1]}://{match[2]}/ws"
    raise AssertionError(f"{lines} {process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_line_serves_until_a_signal(module: Path, number: signal.Signals) -> None:
    with command(module, "serve", "viewer:app", "--port", "0") as process:
        lines, url = await asyncio.to_thread(lines_until_serving, process)
        assert lines[0] == "wslink: Starting factory"
        async with wslink.connect(url, secret="secret", reconnect=False) as link:
            assert await link.call("test.one") == 1
            process.send_signal(number)
            end = await asyncio.wait_for(link.wait_closed(), 10)
            assert (end.code, end.reason) == (1001, "the server stops")
        assert await asyncio.to_thread(process.wait, 10) == 0


async def test_the_ready_line_can_be_changed_and_turned_off(module: Path) -> None:
    for text in ("ready now", ""):
        with command(module, "serve", "viewer:app", "-p", "0", WSLINK_READY_MSG=text) as process:
            lines, _ = await asyncio.to_thread(lines_until_serving, process)
            assert lines[:-1] == [text][: len(text)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["serve", "nothing:app"], "there is no module 'nothing' here"),
        (["serve", "viewer:other"], "module 'viewer' has no App called 'other'"),
        (["serve", "viewer:app", "-c", "nowhere"], "'nowhere' is not a directory"),
        (["serve", "viewer:app", "--ssl", "x"], "either 'adhoc', or two PEM files"),
    ],
)
def test_the_command_line_names_what_is_wrong(module: Path, arguments: list[str], says: str) -> None:
    with command(module, *arguments) as process:
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 1
        assert says in errors
        assert "Traceback" not in errors


async def test_a_taken_port_is_the_callers_error(app: App, serve: Serve) -> None:
    url = await serve(app)
    port = int(url.split(":")[2].split("/")[0])
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: .*; another program listens there: stop it"):
        await serve(App(), port=port)


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.EACCES, "this user may not have that port"), (errno.EADDRNOTAVAIL, "this machine does not have that")],
)
async def test_a_port_that_cannot_be_had(
    app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    def refuse(one: socket.socket, address: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(OSError, match=f"{os.strerror(number)}; {advice}") as refused:
        await serve(app)
    assert refused.value.errno == number


async def test_localhost_is_one_port_on_every_address(app: App, peers: Open) -> None:
    async with await app.serve(host="localhost", port=0, handle_signals=False, ready_msg="") as server:
        assert server.url == f"http://localhost:{server.port}/?secret=secret"
        await peers(f"ws://127.0.0.1:{server.port}/ws", hello=HELLO)


async def test_stopping_twice_and_a_second_server_on_the_same_port(app: App) -> None:
    server = await app.serve(port=0, handle_signals=False, ready_msg="")
    await asyncio.gather(server.stop(), server.stop())
    await server.stop()
    again = await App().serve(port=server.port, handle_signals=False, ready_msg="")
    await again.stop()


async def test_signals_are_given_back(app: App) -> None:
    async with await app.serve(port=0, ready_msg=""):
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_an_app_is_served_once_at_a_time(app: App) -> None:
    settings: dict[str, Any] = {"port": 0, "handle_signals": False, "ready_msg": ""}
    server, refused = await asyncio.gather(app.serve(**settings), app.serve(**settings), return_exceptions=True)
    assert isinstance(refused, UsageError)
    assert isinstance(server, wslink.Server)
    other = App()
    with pytest.raises(OSError, match="cannot listen"):
        await other.serve(**{**settings, "port": server.port})
    await server.stop()
    async with await other.serve(**settings):
        pass


async def test_who_comes_while_the_server_stops_is_told_so_and_calls_nothing(app: App, peers: Open) -> None:
    called: list[str] = []

    @app.method("test.wait")
    async def wait() -> None:
        called.append("wait")
        await asyncio.Event().wait()

    server = await app.serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="")
    url = f"ws://127.0.0.1:{server.port}/ws"
    early, silent = await peers(url, hello=HELLO), await peers(url)
    await early.start("test.wait")
    while not called:
        await asyncio.sleep(0.01)
    stopping = asyncio.create_task(server.stop())
    for peer in (early, silent):
        assert await peer.closed() == (1001, "the server stops")
    late = await peers(url)
    await late.send({"id": "system:c0:0", "method": "wslink.hello", "args": [HELLO]})
    await late.start("test.wait")
    assert await late.closed() == (1001, "the server stops")
    await stopping
    assert called == ["wait"]


async def test_the_server_stops_when_nobody_has_been_there_for_a_while(app: App, peers: Open) -> None:
    server = await app.serve(host="127.0.0.1", port=0, timeout=0.3, handle_signals=False, ready_msg="")
    url = f"ws://127.0.0.1:{server.port}/ws"
    silent = await peers(url)  # never says hello, and so does not count
    peer = await peers(url, hello=HELLO)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 0.6)
    await peer.close()
    await asyncio.wait_for(server.wait_closed(), 5)
    await silent.close()


async def test_a_client_may_end_the_server(app: App, peers: Open) -> None:
    server = await app.serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="")
    peer = await peers(f"ws://127.0.0.1:{server.port}/ws", hello=HELLO)
    assert (await peer.call("application.exit.later", 0.05))["result"] is None
    assert (await peer.closed())[0] == 1001
    await asyncio.wait_for(server.wait_closed(), 5)


async def test_a_time_that_is_none_does_not_end_the_server(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), hello=HELLO)
    for seconds in (float("nan"), "soon", None, [1]):
        assert (await peer.call("application.exit.later", seconds))["error"]["code"] == -32602
    assert (await peer.call("application.exit.later", float("inf")))["result"] is None
    assert (await peer.call("application.exit.later", 1e300))["result"] is None


async def test_tls_with_a_certificate_made_for_the_occasion(app: App, serve: Serve) -> None:
    app.method("test.one")(lambda: 1)
    url = (await serve(app, ssl="adhoc")).replace("ws://", "wss://")
    async with wslink.connect(url, secret="secret", ssl=False) as link:
        assert await link.call("test.one") == 1
    with pytest.raises(wslink.ConnectionClosed, match="certificate"):
        await wslink.connect(url, secret="secret")


async def test_tls_with_files(app: App, serve: Serve, tmp_path: Path) -> None:
    from wslink.http.tls import write_self_signed

    cert, key = write_self_signed("127.0.0.1", tmp_path)
    assert key.stat().st_mode & 0o077 == 0
    url = (await serve(app, ssl=f"{cert},{key}")).replace("ws://", "wss://")
    async with wslink.connect(url, secret="secret", ssl=ssl.create_default_context(cafile=str(cert))) as link:
        assert link.client_id in app.clients


class Silent:
    """A peer of which nothing arrives."""

    def __init__(self) -> None:
        self.pings = 0
        self.ended = asyncio.Event()

    def beat(self) -> None:
        self.pings += 1

    def dead(self, reason: str) -> None:
        self.ended.set()

    def arrived(self) -> int:
        return 0

    def line(self) -> tcp.Line:
        return tcp.UNKNOWN


async def test_a_heartbeat_that_raises_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslink.transport.heartbeat.MIN_INTERVAL", 0.01)
    raised: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: raised.append(context["exception"]))

    class Broken(Silent):
        def line(self) -> tcp.Line:
            raise OSError

    peer = Silent()
    beats = [Heartbeat(0.05, one) for one in (*(Broken() for _ in range(5)), peer)]
    await asyncio.wait_for(peer.ended.wait(), 10)
    for beat in beats:
        beat.stop()
    assert {type(error) for error in raised} == {OSError}


async def test_a_heartbeat_ends_what_is_silent_and_spares_what_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslink.transport.heartbeat.MIN_INTERVAL", 0.01)
    peer = Silent()
    beat = Heartbeat(0.05, peer)
    for _ in range(6):
        await asyncio.sleep(0.03)
        beat.heard = True
    assert peer.pings >= 2
    time.sleep(0.3)  # a method keeps the loop for itself
    await asyncio.sleep(0.06)
    assert not peer.ended.is_set()
    await asyncio.wait_for(peer.ended.wait(), 2)


async def test_a_client_that_answers_no_ping_is_dropped(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app, heart_beat=1), hello=HELLO, autoping=False)
    while app.clients:
        await asyncio.sleep(0.05)
    assert (await peer.closed())[0] == 1006


async def test_importing_stays_light() -> None:
    code = "import sys, wslink; print([m for m in ('aiohttp', 'asyncio', 'msgspec', 'numpy') if m in sys.modules])"
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
