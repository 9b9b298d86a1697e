"""The application on a thread of its own: whatever it does there, clients are served."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open
from tests.ports import free_port
from tests.server.test_life import command, lines_until_serving
from tests.session.test_resume import Returning
from tests.session.test_streams import FEATURES, ask, items, stream
from wslink import App, Call, CallError, Identity, MethodError, UsageError, Viewer

SOON = 0.05
"""Seconds within which what does not need the application arrives while that is busy."""
TRIES = 5
"""How often that is tried, so that a machine that is busy itself may be late."""
HELLO = {"secret": "secret"}


class Running:
    """An App that is served from a thread of its own, as `App.run` serves it from the main one."""

    def __init__(self, app: App, **settings: Any) -> None:
        self.app = app
        self.error: BaseException | None = None
        self.loop: asyncio.AbstractEventLoop
        self.server: wslink.Server
        self._settings = {"port": 0, "host": "127.0.0.1", "ready_msg": "", "application_thread": True, **settings}
        self._ready = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        try:
            self.loop = asyncio.get_running_loop()
            self.server = await self.app.serve(**self._settings)
        except BaseException as error:
            self.error = error
            return
        finally:
            self._ready.set()
        await self.server.wait_closed()
        await self.server.stop()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}/ws"

    def __enter__(self) -> Running:
        self.thread.start()
        assert self._ready.wait(10)
        if self.error is not None:
            raise self.error
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(AttributeError, RuntimeError):  # it never began, or has ended
            self.loop.call_soon_threadsafe(self.server.stop_soon)
        self.thread.join(10)
        assert not self.thread.is_alive()
        assert not any(thread.name == "wslink_io" for thread in threading.enumerate())


class Blocker:
    """A method that blocks the application's thread until it is told otherwise, as native code that lets go of the
    GIL does."""

    def __init__(self, app: App) -> None:
        self.began = threading.Event()
        self.go_on = threading.Event()
        self.call: Call | None = None
        app.method("test.block")(self.block)

    def block(self, call: Call) -> str:
        self.call = call
        self.began.set()
        return "free" if self.go_on.wait(10) else "forgotten"

    @contextlib.asynccontextmanager
    async def blocked(self, link: wslink.Link) -> AsyncIterator[asyncio.Task[Any]]:
        """Inside, the application is busy with a call of `link`."""
        calling = asyncio.create_task(link.call("test.block"))
        await asyncio.to_thread(self.began.wait, 5)
        try:
            yield calling
        finally:
            self.go_on.set()
            await asyncio.gather(calling, return_exceptions=True)


@pytest.fixture
def blocker(app: App) -> Blocker:
    return Blocker(app)


@pytest.fixture
def running(app: App, blocker: Blocker) -> Iterator[Running]:
    with Running(app) as found:
        yield found


def add_methods(app: App) -> None:
    async def of_async() -> str:
        await asyncio.sleep(0)
        return threading.current_thread().name

    for run in (None, "main", "loop"):
        app.method(f"sync.{run or 'default'}".lower(), run=run)(lambda: threading.current_thread().name)
        app.method(f"async.{run or 'default'}".lower(), run=run)(of_async)
    app.method("sync.thread", run="thread")(lambda: threading.current_thread().name)


@pytest.mark.parametrize("on", [True, False])
async def test_a_method_runs_where_the_table_says(app: App, on: bool) -> None:
    add_methods(app)
    with Running(app, application_thread=on) as running:
        serving = "wslink_io" if on else running.thread.name
        async with wslink.connect(running.url, secret="secret") as link:
            for kind in ("sync", "async"):
                assert await link.call(f"{kind}.default") == running.thread.name
                assert await link.call(f"{kind}.main") == running.thread.name
                assert await link.call(f"{kind}.loop") == serving
            assert (await link.call("sync.thread")).startswith("wslink_")
            assert await link.call("sync.thread") not in ("wslink_io", running.thread.name)


async def test_handlers_renderers_and_authentication_run_on_the_applications_thread(app: App) -> None:
    seen: dict[str, str] = {}

    def note(name: str) -> Callable[[Any], None]:
        return lambda _: seen.__setitem__(name, threading.current_thread().name)

    topic = app.topic("a.topic", delivery="latest")
    app.on_connect(note("on_connect"))
    app.on_disconnect(note("on_disconnect"))
    topic.on_subscribe(note("on_subscribe"))
    topic.on_unsubscribe(note("on_unsubscribe"))

    @app.authenticate
    async def authenticate(credentials: wslink.Credentials) -> Identity:
        note("authenticate")(None)
        await asyncio.sleep(0)
        return Identity("ann")

    @topic.on_demand
    async def render(viewer: Viewer) -> list[str]:
        await asyncio.sleep(0)
        return [threading.current_thread().name, viewer.client_id]

    @app.method("test.who")
    def who(call: Call) -> list[str]:
        return [call.client.user, *(client.user for client in app.clients.values())]

    with Running(app) as running:
        async with wslink.connect(running.url) as link:
            async with link.subscribe("a.topic") as frames:
                assert await anext(aiter(frames)) == [running.thread.name, link.client_id]
            assert await link.call("test.who") == ["ann", "ann"]
        while "on_disconnect" not in seen:
            await asyncio.sleep(0.01)
    names = ("authenticate", "on_connect", "on_disconnect", "on_subscribe", "on_unsubscribe")
    assert seen == dict.fromkeys(names, running.thread.name)


async def test_frames_of_before_and_during_a_call_that_blocks_arrive_at_once(app: App) -> None:
    topic, went_on = app.topic("a.topic"), threading.Event()

    @app.method("test.work")
    def work() -> str:
        topic.publish(["before", time.monotonic()])
        time.sleep(0.1)
        topic.publish(["during", time.monotonic()])
        assert went_on.wait(5)
        return "done"

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link, link.subscribe("a.topic") as frames:
            incoming = aiter(frames)
            delays: dict[str, list[float]] = {"before": [], "during": []}
            for _ in range(TRIES):
                calling = asyncio.create_task(link.call("test.work"))
                for expected in delays:
                    name, published = await anext(incoming)
                    delays[expected].append(time.monotonic() - published)
                    assert (name, calling.done()) == (expected, False)
                went_on.set()
                assert await calling == "done"
                went_on.clear()
            assert max(map(min, delays.values())) < SOON, delays


async def test_others_are_served_while_the_application_is_busy(app: App, blocker: Blocker, peers: Open) -> None:
    app.method("test.here", run="loop")(lambda: "here")
    app.method("test.later")(lambda: "later")
    with Running(app, heart_beat=1.0) as running:
        async with wslink.connect(running.url, secret="secret") as link, blocker.blocked(link) as calling:
            took: list[float] = []
            for _ in range(TRIES):
                began = time.monotonic()
                other = await peers(running.url, hello=HELLO)  # and gets hello
                assert (await other.call("test.here"))["result"] == "here"
                took.append(time.monotonic() - began)
            assert min(took) < SOON, took
            later = await other.start("test.later")
            await asyncio.sleep(2.5)  # more than two heartbeats, which keep every client
            assert len(app.clients) == 1 + TRIES
            assert not calling.done()
            blocker.go_on.set()
            assert (await other.answer(later))["result"] == "later"
            assert await calling == "free"


async def test_a_cancelled_call_sees_it_while_it_blocks(app: App) -> None:
    seen: list[float] = []

    @app.method("test.work")
    def work(call: Call) -> None:
        while not call.cancelled:
            time.sleep(0.001)
        seen.append(time.monotonic())

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link:
            took: list[float] = []
            for number in range(TRIES):
                calling = asyncio.create_task(link.call("test.work"))
                await asyncio.sleep(0.1)
                cancelled = time.monotonic()
                calling.cancel()
                await asyncio.gather(calling, return_exceptions=True)
                while len(seen) == number:
                    await asyncio.sleep(0.001)
                took.append(seen[number] - cancelled)
            assert min(took) < SOON, took
        async with wslink.connect(running.url, secret="secret") as link:  # and of a client that goes
            calling = asyncio.create_task(link.call("test.work"))
            await asyncio.sleep(0.1)
        await asyncio.gather(calling, return_exceptions=True)
        while len(seen) == TRIES:
            await asyncio.sleep(0.001)


async def test_calls_that_have_not_begun_never_do_and_async_ones_are_interrupted(app: App, blocker: Blocker) -> None:
    events: list[str] = []
    app.method("test.note")(lambda: events.append("began"))

    @app.method("test.wait")
    async def wait() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            events.append("interrupted")

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link:
            waiting = asyncio.create_task(link.call("test.wait"))
            await asyncio.sleep(0.1)
            async with blocker.blocked(link):
                late = asyncio.create_task(link.call("test.note"))
                await asyncio.sleep(0.1)
                late.cancel()
                waiting.cancel()
                await asyncio.gather(late, waiting, return_exceptions=True)
                await asyncio.sleep(0.1)
            while not events:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            assert events == ["interrupted"]
            assert app._hub.service.under_way == 0


async def test_a_client_returns_while_the_application_is_busy_and_nothing_is_lost(
    app: App, blocker: Blocker, running: Running
) -> None:
    topic = app.topic("a.topic")
    client = Returning(running.url)
    async with wslink.connect(running.url, secret="secret") as link:
        try:
            await client.connect()
            await client.subscribe(1, "a.topic")
            async with blocker.blocked(link):
                for number in range(20):
                    topic.publish(number)
                    if number in (5, 12):
                        await client.cut()
                        await asyncio.sleep(0.02)
                    if number in (8, 15):
                        assert (await client.connect())["resume"]["resumed"] is True
                    await asyncio.sleep(0.005)
                deadline = time.monotonic() + 5
                while len(client.publications) < 20 and time.monotonic() < deadline:
                    await asyncio.sleep(0.01)
                assert client.publications == list(range(20))
                assert client.doubles == 0
        finally:
            await client.close()


async def test_errors_and_results_are_as_without_it(app: App) -> None:
    @app.method("test.error")
    def error() -> None:
        raise MethodError("too steep", data={"max": 30}, code=7)

    @app.method("test.break")
    async def break_() -> None:
        raise ValueError("broken")

    @app.method("test.unsendable")
    def unsendable() -> object:
        return object()

    @app.method("test.stop")
    def stop() -> None:
        raise StopIteration

    @app.method("test.typed")
    def typed(number: int) -> int:
        return number

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link:
            with pytest.raises(CallError) as caught:
                await link.call("test.error")
            assert (caught.value.code, caught.value.message, caught.value.data) == (7, "too steep", {"max": 30})
            for method, code in (("test.break", -32001), ("test.unsendable", -32002), ("test.stop", -32001)):
                with pytest.raises(CallError, match=str(code)):
                    await link.call(method)
            with pytest.raises(CallError, match="-32602"):
                await link.call("test.typed", "one")


async def test_a_result_is_encoded_before_anything_can_change_it(app: App) -> None:
    shared: dict[str, int] = {}

    @app.method("test.shared")
    def give(number: int) -> dict[str, int]:
        shared.clear()
        shared.update({f"key{one}": number for one in range(200)})
        return shared

    with Running(app) as running:
        async with wslink.connect(running.url, secret="secret") as link:
            results = await asyncio.gather(*(link.call("test.shared", number) for number in range(100)))
            assert [set(result.values()) for result in results] == [{number} for number in range(100)]


async def test_a_short_call_gets_its_response_before_what_it_published(app: App, peers: Open) -> None:  # ORD-2
    topic = app.topic("a.topic")

    @app.method("test.sync")
    def sync() -> str:
        topic.publish("sync")
        return "result"

    @app.method("test.later")
    async def later() -> str:
        topic.publish("first")
        await asyncio.sleep(0.05)
        topic.publish("second")
        return "result"

    app.method("test.loop", run="loop")(lambda: "loop")
    with Running(app) as running:
        peer = await peers(running.url, hello={**HELLO, "features": ["subscribe"]})
        await peer.subscribe(1, "a.topic")
        for _ in range(50):
            await peer.call("test.sync")
            assert not peer.publications
            assert (await peer.receive())["result"] == "sync"
        for _ in range(5):
            await peer.call("test.later")
            assert [publication["result"] for publication in peer.publications] == ["first"]
            peer.publications.clear()
            assert (await peer.receive())["result"] == "second"


async def test_publications_of_all_threads_keep_the_order_of_each(app: App) -> None:  # ORD-1
    topic = app.topic("a.topic")

    @app.method("test.main")
    def main(start: int) -> None:
        for number in range(start, start + 100):
            topic.publish(["main", number])

    app.method("test.thread", thread=True)(lambda: [topic.publish(["thread", number]) for number in range(100)][:0])
    app.method("test.loop", run="loop")(lambda: [topic.publish(["loop", number]) for number in range(100)][:0])
    with Running(app) as running:
        async with (
            wslink.connect(running.url, secret="secret") as link,
            link.subscribe("a.topic", buffer=400) as frames,
        ):
            incoming = aiter(frames)
            await asyncio.gather(
                link.call("test.main", 0), link.call("test.thread"), link.call("test.loop"), link.call("test.main", 100)
            )
            got: dict[str, list[int]] = {"main": [], "thread": [], "loop": []}
            for _ in range(400):
                name, number = await asyncio.wait_for(anext(incoming), 5)
                got[name].append(number)
            assert got == {"main": list(range(200)), "thread": list(range(100)), "loop": list(range(100))}


async def test_what_an_application_does_with_its_clients_works_from_its_thread(app: App, peers: Open) -> None:
    topic = app.topic("a.topic")

    @app.method("test.disconnect")
    def disconnect(id_: str) -> None:
        topic.publish("last", to=id_)
        app.clients[id_].disconnect("enough")

    @app.method("test.wait")
    async def wait() -> int:
        return await topic.publish_wait(bytes(100))

    with Running(app) as running:
        peer = await peers(running.url, hello={**HELLO, "features": ["subscribe"]})
        await peer.subscribe(1, "a.topic")
        async with wslink.connect(running.url, secret="secret") as link:
            assert await link.call("test.wait") == 1
            assert len((await peer.receive())["result"]) == 100
            await link.call("test.disconnect", peer.client_id)
            with pytest.raises(ConnectionError, match="closed 4002"):
                while True:
                    await peer.receive()
            while len(app.clients) != 1:
                await asyncio.sleep(0.01)


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
