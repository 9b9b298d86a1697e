"""The start and the end of an application with a thread of its own, and what runs on it meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open
from tests.ports import free_port
from tests.server.running import HELLO, Blocker, Running
from tests.server.test_life import command, lines_until_serving
from tests.session.streaming import FEATURES, ask, items, stream
from wslink import App, Call, UsageError


def test_a_port_in_use_raises_where_the_application_is_run(app: App) -> None:
    with Running(App(), application_thread=False) as other, pytest.raises(OSError, match=str(other.server.port)):
        app.run(port=other.server.port, host="127.0.0.1", application_thread=True, ready_msg="")
    assert not any(thread.name == "wslink_io" for thread in threading.enumerate())
    with pytest.raises(UsageError, match="trio"):
        app.run(port=0, loop="trio", application_thread=True)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_app_may_be_run_again_and_again(app: App, loop: str) -> None:
    for _ in range(3):
        app.run(
            port=0, host="127.0.0.1", ready_msg="", timeout=0.05, application_thread=True, loop=loop,
        )  # fmt: skip
    assert not any(thread.name == "wslink_io" for thread in threading.enumerate())


async def test_a_client_ends_a_server_whose_application_is_busy(app: App, blocker: Blocker) -> None:
    with Running(app, stop_timeout=1.0) as running:
        async with wslink.connect(running.url, secret="secret", reconnect=False) as link, blocker.blocked(link):
            async with wslink.connect(running.url, secret="secret", reconnect=False) as other:
                await other.call("application.exit")
                assert (await asyncio.wait_for(other.wait_closed(), 2)).code == 1001
            deadline = time.monotonic() + 5
            while not (blocker.call and blocker.call.cancelled) and time.monotonic() < deadline:
                await asyncio.sleep(0.01)
            assert blocker.call is not None
            assert blocker.call.cancelled
            assert not running.server.stopped or time.monotonic() < deadline


async def test_it_serves_in_a_loop_that_runs_already(app: App) -> None:
    app.method("test.thread")(lambda: threading.get_ident())
    app.method("test.io", run="loop")(lambda: threading.get_ident())
    port = free_port()
    for _ in range(2):
        async with (
            await app.serve(port=port, host="127.0.0.1", handle_signals=False, ready_msg="", application_thread=True),
            wslink.connect(f"ws://127.0.0.1:{port}/ws", secret="secret") as link,
        ):
            assert await link.call("test.thread") == threading.get_ident()
            assert await link.call("test.io") != threading.get_ident()


async def test_streams_are_made_and_read_on_the_applications_thread(app: App, peers: Open) -> None:
    async def names(most: int) -> AsyncIterator[str]:
        for _ in range(most):
            await asyncio.sleep(0)
            yield threading.current_thread().name

    def steps(most: int) -> Iterator[str]:
        for _ in range(most):
            yield threading.current_thread().name

    async def total(values: AsyncIterator[int]) -> list[Any]:
        found = sum([value async for value in values])
        return [threading.current_thread().name, found]

    app.method("test.names")(names)
    app.method("test.steps", run="main")(steps)
    app.method("test.loop", run="loop")(names)
    app.method("test.total")(total)
    with Running(app) as running:
        peer = await peers(running.url, hello={**HELLO, "features": FEATURES})
        for method, expected in (
            ("test.names", running.thread.name), ("test.steps", running.thread.name), ("test.loop", "wslink_io")
        ):  # fmt: skip
            await ask(peer, method, 20, credit=50)
            assert [item[3] for item in await items(peer, 20)] == [expected] * 20
            assert (await peer.receive())["result"] is None
        id_ = await peer.start("test.total", stream(1))
        assert (await peer.receive_extension())[:2] == [5, id_]
        for n in range(4):
            await peer.extension(3, id_, n, n + 1, 1)
        await peer.extension(4, id_, 4, None, 1)
        assert (await peer.answer(id_))["result"] == [running.thread.name, 10]


async def test_progress_of_a_call_that_blocks_arrives_meanwhile(app: App, peers: Open) -> None:
    went_on = threading.Event()

    @app.method("test.work")
    def work(call: Call) -> str:
        call.progress(0.5)
        assert went_on.wait(5)
        call.progress(1.0)
        return "done"

    with Running(app) as running:
        peer = await peers(running.url, hello={**HELLO, "features": ["progress"]})
        await peer.send({"wslink": "1.0", "id": "rpc:1:1", "method": "test.work", "args": [], "progress": True})
        assert (await peer.receive_extension())[-1] == 0.5
        went_on.set()
        assert (await peer.answer("rpc:1:1"))["result"] == "done"
        assert peer.extensions[-1][-1] == 1.0


@pytest.mark.parametrize("turns", [0, 2, 10])
@pytest.mark.parametrize("how", ["signal", "cancel"])
async def test_a_start_may_be_given_up(app: App, turns: int, how: str) -> None:
    starting = asyncio.create_task(app.serve(host="127.0.0.1", port=0, ready_msg="", application_thread=True))
    for _ in range(1 + turns):
        await asyncio.sleep(0)
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
        server = await asyncio.wait_for(starting, 5)
        await asyncio.wait_for(server.wait_closed(), 5)
    else:
        starting.cancel()
        await asyncio.wait({starting}, timeout=5)
        if not starting.cancelled():
            await starting.result().stop()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert not any(thread.name == "wslink_io" for thread in threading.enumerate())


BUSY = """
import ctypes, sys, time
from wslink import App, Call

app = App(secret="secret")
libc = ctypes.CDLL(None)  # lets go of the GIL, and does not return for a signal that Python would handle

@app.method("test.block")
def block(call: Call) -> None:
    end = time.monotonic() + 2
    while time.monotonic() < end:
        libc.usleep(int(1e6 * (end - time.monotonic())) + 1)

app.method("test.here", run="loop")(lambda: "here")
app.run(port=0, host="127.0.0.1", application_thread=True, loop=sys.argv[1], stop_timeout=1.0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are handled otherwise there")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_signal_stops_the_server_at_once_and_the_process_once_it_is_free(
    tmp_path: Path, busy: bool, loop: str
) -> None:
    (tmp_path / "busy.py").write_text(BUSY)
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "busy.py", loop], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    try:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        async with wslink.connect(url, secret="secret", reconnect=False) as link:
            calling = asyncio.ensure_future(link.call("test.block" if busy else "test.here"))
            await asyncio.wait({calling}, timeout=0.3)
            assert calling.done() is not busy
            assert await link.call("test.here") == "here"
            process.send_signal(signal.SIGTERM)
            assert (await asyncio.wait_for(link.wait_closed(), 1)).code == 1001
            assert (process.poll() is None) or not busy
            await asyncio.gather(calling, return_exceptions=True)
        assert await asyncio.to_thread(process.wait, 10) == 0
    finally:
        process.kill()
        process.communicate()


async def test_a_client_cannot_make_the_application_owe_it_more_and_more(
    app: App, blocker: Blocker, peers: Open
) -> None:
    topic = app.topic("a.topic")
    begun: list[int] = []
    topic.on_subscribe(lambda one: begun.append(one.id))
    topic.on_unsubscribe(lambda one: begun.append(-one.id))
    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link, blocker.blocked(link):
            peer = await peers(running.url, hello={**HELLO, "features": ["subscribe"]})
            wide = {"id": [f"{number:01000}" for number in range(300)]}
            granted = 0
            for number in range(50):
                answer = await peer.subscribe(1, "a.topic", {**wide, "number": number})
                granted += "result" in answer
            assert answer["error"]["code"] == -32003
            assert "wait for the application" in answer["error"]["message"]
            assert 2 < granted < 8  # 300 KiB each
            other = await peers(running.url, hello={**HELLO, "features": ["subscribe"]})
            assert "result" in await other.subscribe(1, "a.topic")
            blocker.go_on.set()
            while len(begun) < granted + 1:
                await asyncio.sleep(0.01)
            assert "result" in await peer.subscribe(1, "a.topic", wide)


@pytest.mark.parametrize("by", ["flag", "environment"])
async def test_the_command_line_serves_with_it(tmp_path: Path, by: str) -> None:
    (tmp_path / "viewer.py").write_text(
        "import threading\nfrom wslink import App\napp = App(secret='secret')\n"
        "app.method('test.main')(lambda: threading.current_thread() is threading.main_thread())\n"
        "app.method('test.loop', run='loop')(lambda: threading.current_thread() is threading.main_thread())\n"
    )
    flags = ("--application-thread",) if by == "flag" else ()
    environment = {} if by == "flag" else {"WSLINK_APPLICATION_THREAD": "1"}
    with command(tmp_path, "serve", "viewer:app", "--port", "0", *flags, **environment) as process:
        _, url = await asyncio.to_thread(lines_until_serving, process)
        async with wslink.connect(url, secret="secret") as link:
            assert [await link.call("test.main"), await link.call("test.loop")] == [True, False]
