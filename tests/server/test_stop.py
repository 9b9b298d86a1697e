"""The stop of a server, whatever its calls, threads and child processes do, and a start that is given up."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open
from tests.ports import free_port
from tests.server.test_life import command, lines_until_serving
from wslink import App

HELLO = {"secret": "secret"}

BUSY = """
import asyncio, contextlib, threading, time
from wslink import App
app = App(secret="secret")

@app.method("test.thread", thread=True)
def thread() -> None:
    time.sleep(60)

@app.method("test.default_thread")
async def default_thread() -> None:
    await asyncio.to_thread(time.sleep, 60)

@app.method("test.stubborn")
async def stubborn() -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

@app.method("test.background")
async def background() -> None:
    app.task = asyncio.create_task(stubborn())
    await asyncio.sleep(0.05)

@app.method("test.one")
def one() -> int:
    return 1
"""


@pytest.mark.parametrize("method", ["test.thread", "test.default_thread", "test.stubborn", "test.background"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_no_call_keeps_the_process_past_the_stop_timeout(tmp_path: Path, method: str, loop: str) -> None:
    (tmp_path / "viewer.py").write_text(BUSY)
    flags = ("--stop-timeout", "1.5", "--loop", loop)
    with command(tmp_path, "serve", "viewer:app", "--port", "0", *flags) as process:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        async with wslink.connect(url, secret="secret", reconnect=False) as link:
            calling = asyncio.create_task(link.call(method))
            await asyncio.wait({calling}, timeout=0.3)
            assert await link.call("test.one") == 1
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert (await asyncio.wait_for(link.wait_closed(), 5)).code == 1001
            await asyncio.gather(calling, return_exceptions=True)
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert time.monotonic() - began < 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize(
    "serves", ["app.run(port=0, host='127.0.0.1')", "start(['--port', '0', '--host', '127.0.0.1'], Old)"]
)
async def test_a_forked_worker_ends_at_sigterm_and_the_server_goes_on(tmp_path: Path, serves: str) -> None:
    (tmp_path / "run.py").write_text(
        textwrap.dedent(f"""
            import multiprocessing, os, signal, time
            from wslink import App, register
            from wslink.server import start
            from wslink.websocket import ServerProtocol

            app = App(secret="wslink-secret")

            @app.method("test.exit_code")
            def exit_code() -> int:
                worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
                worker.start()
                worker.terminate()
                worker.join(5)
                code = worker.exitcode
                worker.kill()
                return code

            class Old(ServerProtocol):
                @register("test.exit_code")
                def method(self):
                    return exit_code()

                def port_callback(self, port):
                    print(f"http://127.0.0.1:{{port}}/", flush=True)

            {serves}
        """)
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "run.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        async with wslink.connect(url, secret="wslink-secret", reconnect=False) as link:
            for _ in range(3):
                assert await link.call("test.exit_code") == -signal.SIGTERM
            process.send_signal(signal.SIGTERM)
            assert (await asyncio.wait_for(link.wait_closed(), 5)).code == 1001
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.communicate()


async def test_a_signal_handler_of_the_application_comes_back(app: App) -> None:
    def own(*_: Any) -> None:
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        async with await app.serve(port=0, ready_msg=""):
            assert signal.getsignal(signal.SIGTERM) is not own
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("stops_first", [0, 1])
async def test_a_signal_stops_all_servers_of_an_event_loop(stops_first: int) -> None:
    def own(*_: Any) -> None:
        pass

    before = signal.signal(signal.SIGTERM, own)
    try:
        servers = [await App().serve(port=0, ready_msg="") for _ in range(3)]
        await servers.pop(stops_first).stop()
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*(one.wait_closed() for one in servers)), 5)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


async def accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.01)  # for the server to notice
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_start_that_is_cancelled_leaves_no_port_open(app: App, host: str) -> None:
    async def cancelled_when(settle: Callable[[], Awaitable[None]]) -> bool:
        port = free_port()
        starting = asyncio.create_task(app.serve(host=host, port=port, ready_msg=""))
        await settle()
        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled():
            await starting.result().stop()
        assert not await accepts(port)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        return starting.cancelled()

    async def turns(number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    assert await cancelled_when(lambda: turns(1))
    for number in range(2, 60, 3):
        await cancelled_when(lambda number=number: turns(number))  # type: ignore[misc]
    async with await app.serve(host=host, port=0, handle_signals=False, ready_msg="") as server:
        assert await accepts(server.port)


@pytest.mark.parametrize("turns", range(5))
async def test_a_signal_during_the_start_stops_the_server(app: App, turns: int) -> None:
    starting = asyncio.create_task(app.serve(host="localhost", port=free_port(), ready_msg=""))
    await asyncio.sleep(0)
    for _ in range(turns):
        await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    server = await asyncio.wait_for(starting, 5)
    await asyncio.wait_for(server.wait_closed(), 5)
    assert not await accepts(server.port)


async def test_a_method_that_swallows_its_cancellation_is_logged(app: App, peers: Open, caplog: Any) -> None:
    released = asyncio.Event()

    @app.method("test.stubborn")
    async def stubborn() -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                continue

    server = await app.serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="", stop_timeout=0.2)
    peer = await peers(f"ws://127.0.0.1:{server.port}/ws", hello=HELLO)
    await peer.start("test.stubborn")
    try:
        while app._hub.service.under_way == 0:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(server.stop(), 10)
        assert "goes on after it was cancelled" in caplog.text
    finally:
        released.set()


async def test_the_number_of_threads_is_a_setting(app: App) -> None:
    @app.method("test.sleep", thread=True)
    def sleep(seconds: float) -> None:
        time.sleep(seconds)

    async with await app.serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="", threads=4) as server:
        url = f"ws://127.0.0.1:{server.port}/ws"
        async with wslink.connect(url, secret="secret") as link:
            began = time.monotonic()
            await asyncio.gather(*(link.call("test.sleep", 0.2) for _ in range(8)))
            assert 0.38 < time.monotonic() - began < 0.75


def test_an_app_may_be_run_again_and_again(app: App) -> None:
    for _ in range(2):
        app.run(port=0, host="127.0.0.1", ready_msg="", timeout=0.05)
