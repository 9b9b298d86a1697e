"""The application on a thread of its own: whatever it does there, clients are served."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import wslink
from tests.conftest import Open
from tests.server.running import HELLO, SOON, TRIES, Blocker, Running
from tests.session.returning import Returning
from wslink import App, Call, CallError, Identity, MethodError, Viewer


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
