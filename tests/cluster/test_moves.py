"""Sessions that go on at another worker (RES-12), with a broker that does as it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.cluster.switch import Switch
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, Call, ClientGone, connect
from wslink.client.backoff import Reconnect
from wslink.client.events import Reconnected
from wslink.cluster import moves
from wslink.cluster.memory_log import MemoryBroker
from wslink.errors import ConnectionClosed

pytestmark = pytest.mark.timeout(60)


class Worker:
    """An App that other workers know."""

    def __init__(self, broker: MemoryBroker, name: str) -> None:
        self.name = name
        self.app = App(secret="secret", broker=broker)
        self.topic = self.app.topic("test.topic")
        self.state = self.app.topic("test.state", delivery="latest", retain=True)
        self.told: list[str] = []
        self.ran = 0
        self.url = ""
        self.app.on_join(lambda client, group: self.told.append(f"{group}+"))
        self.app.on_leave(lambda client, group: self.told.append(f"{group}-"))
        self.app.on_connect(lambda id_: self.told.append("connect"))
        self.app.on_disconnect(lambda id_: self.told.append("disconnect"))

        @self.app.method("test.where")
        def where() -> str:
            return self.name

        @self.app.method("test.join")
        def join(group: str, call: Call) -> bool:
            return self.app.clients[call.client_id].join(group)

        @self.app.method("test.slow")
        async def slow(seconds: float) -> str:
            self.ran += 1
            await asyncio.sleep(seconds)
            return self.name


Start = Callable[[str], Awaitable[Worker]]


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def start(serve: Serve, broker: MemoryBroker) -> Start:
    async def start(name: str) -> Worker:
        worker = Worker(broker, name)
        worker.url = await serve(worker.app)
        return worker

    return start


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    switch = await Switch(0).start()
    yield switch
    await switch.stop()


class Viewer:
    """A link that counts."""

    def __init__(self, switch: Switch) -> None:
        soon = Reconnect(initial=0.05, max=0.1)
        self.link: Any = connect(f"ws://127.0.0.1:{switch.port}/ws", secret="secret", reconnect=soon)
        self.returns: list[Reconnected] = []
        self.got: list[Any] = []
        self.values: list[Any] = []

    async def __aenter__(self) -> Viewer:
        self.link = await self.link
        self.link.on_reconnected(self.returns.append)
        topic, state = self.link.subscribe("test.topic"), self.link.subscribe("test.state")
        await topic.ready
        await state.ready
        self.tasks = [
            asyncio.create_task(self._read(topic, self.got)),
            asyncio.create_task(self._read(state, self.values)),
        ]
        return self

    async def _read(self, subscription: Any, into: list[Any]) -> None:
        async for payload in subscription:
            into.append(payload)

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()
        await self.link.close()


async def test_a_client_returns_to_its_session_at_another_worker(start: Start, switch: Switch) -> None:
    """RES-12."""
    one, two = await start("one"), await start("two")
    switch.lead_to(one.url)
    async with Viewer(switch) as viewer:
        link = viewer.link
        id_, epoch = link.client_id, link.epoch
        await link.call("test.join", "room")
        one.state.publish("old", key="a")
        one.topic.publish(0)
        await until(lambda: viewer.got == [0])
        switch.lead_to(two.url)
        switch.down = True
        switch.cut()
        for number in range(1, 200):
            (one if number % 2 else two).topic.publish(number)
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        one.state.publish("new", key="a")
        switch.down = False
        await until(lambda: viewer.returns)
        assert (viewer.returns[0].resumed, viewer.returns[0].reason) == (True, None)
        assert await link.call("test.where") == "two"
        for number in range(200, 220):
            (one if number % 2 else two).topic.publish(number)
        await until(lambda: len(viewer.got) >= 220)
        assert (link.client_id, link.epoch) == (id_, epoch)
        assert sorted(viewer.got) == list(range(220))
        for parity in (0, 1):
            mine = [number for number in viewer.got if number % 2 == parity]
            assert mine == sorted(mine), "the order of each publisher is kept"
        assert viewer.values == ["old", "new"]
        assert one.told == ["connect", "room+", "disconnect"]
        assert two.told == ["connect"], "it has joined nothing, and left nothing"
        for worker in (one, two):
            assert [client.id for client in worker.app.group("room")] == [id_]
            assert list(worker.app.clients) == [id_]
        assert not one.app._hub.sessions
    await until(lambda: not two.app.clients)
    assert two.told == ["connect", "room-", "disconnect"]
    await until(lambda: not one.app.clients)


async def test_large_publications_that_wait_go_along(start: Start, switch: Switch) -> None:
    """RES-12: what has gone out and may have to go out again, and what has not."""
    one, two = await start("one"), await start("two")
    switch.lead_to(one.url)
    async with Viewer(switch) as viewer:
        one.topic.publish(0)
        await until(lambda: viewer.got == [0])
        switch.lead_to(two.url)
        switch.down = True
        switch.cut()
        sent = [bytes([number]) * size for number, size in enumerate((10, 100_000, 700_000, 10, 300_000))]
        for payload in sent:
            one.topic.publish([payload, len(payload)])
        for number in range(3):
            one.state.publish([number, b"y" * 200_000], key="a")
        switch.down = False
        await until(lambda: len(viewer.got) >= 6 and viewer.values)
        assert viewer.got == [0, *([payload, len(payload)] for payload in sent)]
        assert viewer.values[-1] == [2, b"y" * 200_000]
        assert viewer.returns[0].resumed
        assert await viewer.link.call("test.where") == "two"


async def test_it_goes_from_worker_to_worker_while_all_publish(start: Start, switch: Switch) -> None:
    """RES-12: nothing is lost or doubled, also of what other threads publish."""
    workers = [await start(str(number)) for number in range(3)]
    switch.lead_to(workers[0].url)
    loop = asyncio.get_running_loop()
    counts = [0, 0, 0]
    over = False

    def publish(index: int) -> None:
        while not over:
            workers[index].topic.publish([index, counts[index]])
            counts[index] += 1
            time.sleep(0.0005)

    async with Viewer(switch) as viewer:
        threads = [loop.run_in_executor(None, publish, index) for index in range(3)]
        try:
            for turn in range(1, 13):
                await asyncio.sleep(0.05)
                switch.lead_to(workers[turn % 3].url)
                switch.cut()
                await until(lambda turn=turn: len(viewer.returns) >= turn)
        finally:
            over = True
        await asyncio.gather(*threads)
        await until(lambda: len(viewer.got) >= sum(counts))
        assert [one.reason for one in viewer.returns if not one.resumed] == []
        for index in range(3):
            assert [number for origin, number in viewer.got if origin == index] == list(range(counts[index]))


async def test_a_worker_that_stops_gives_its_sessions_away(start: Start, switch: Switch) -> None:
    """RES-12: a client is sent to another worker, where its session is by then."""
    one, two = await start("one"), await start("two")
    switch.lead_to(one.url)
    async with Viewer(switch) as viewer:
        link = viewer.link
        one.topic.publish(0)
        slow = asyncio.ensure_future(link.call("test.slow", 0.3))
        await until(lambda: one.ran)
        switch.lead_to(two.url)
        ending = asyncio.create_task(one.app._server.stop())
        await asyncio.sleep(0.05)
        one.topic.publish(1)
        assert await slow == "one", "a call under way may end"
        await until(lambda: viewer.returns)
        assert viewer.returns[0].resumed
        two.topic.publish(2)
        await until(lambda: viewer.got == [0, 1, 2])
        assert await link.call("test.where") == "two"
        await ending


async def test_calls_under_way_do_not_go_along(start: Start, switch: Switch) -> None:
    """RES-12: they fail like those of a connection that ended, or are made again."""
    one, two = await start("one"), await start("two")
    switch.lead_to(one.url)
    async with Viewer(switch) as viewer:
        link = viewer.link

        async def forever() -> None:
            await asyncio.sleep(60)

        link.handle("page.forever", forever)
        slow = asyncio.ensure_future(link.call("test.slow", 60))
        again = asyncio.ensure_future(link.with_options(retry=True).call("test.slow", 0.2))
        await until(lambda: one.ran == 2)
        asked = asyncio.ensure_future(one.app.clients[link.client_id].call("page.forever"))
        switch.lead_to(two.url)
        switch.cut()
        with pytest.raises(ConnectionClosed, match="moved to another worker"):
            await asyncio.wait_for(slow, 10)
        assert await again == "two"
        with pytest.raises(ClientGone):
            await asyncio.wait_for(asked, 10)
        assert viewer.returns[0].resumed


async def test_a_session_that_no_worker_has_begins_anew(
    start: Start, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moves, "PATIENCE", 0.3)
    one, two, three = await start("one"), await start("two"), await start("three")
    switch.lead_to(one.url)
    async with Viewer(switch) as viewer:
        log: Any = one.app._hub.cluster.broker
        log.held = True  # as if it were stopped
        switch.lead_to(two.url)
        switch.cut()
        await until(lambda: viewer.returns)
        assert (viewer.returns[0].resumed, viewer.returns[0].reason) == (False, "restarted")
        log.held = False
        await until(lambda: len(one.app.clients) == len(two.app.clients) == len(three.app.clients) == 1)
        two.topic.publish("after")
        await until(lambda: viewer.got == ["after"])
        assert not one.app._hub.sessions
