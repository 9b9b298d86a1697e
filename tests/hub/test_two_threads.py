"""An application and its clients on two threads, which take turns as often as they can: nothing is lost, doubled or
left behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import wslink
from tests.server.running import Running
from wslink import App, Call, CallError, Limits

CLIENTS = 20
SECONDS = 2.5


@pytest.fixture
def often() -> Iterator[None]:
    """Threads take turns every 10 us."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


class Counting:
    """An application whose state its own thread alone touches, without a lock."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.topic = app.topic("a.topic")
        self.latest = app.topic("a.latest", delivery="latest", retain=True)
        self.demand = app.topic("a.demand", delivery="latest")
        self.published = 0
        self.executed: dict[str, list[int]] = defaultdict(list)
        self.here: set[str] = set()
        self.subscribed: set[tuple[str, int]] = set()
        app.on_connect(self.here.add)
        app.on_disconnect(self.here.remove)
        self.topic.on_subscribe(lambda one: self.subscribed.add((one.client_id, one.id)))
        self.topic.on_unsubscribe(lambda one: self.subscribed.remove((one.client_id, one.id)))
        self.demand.on_demand(lambda viewer: viewer.client_id)
        for method in (self.add, self.wait, self.part, self.disconnect, self.count):
            app.method(f"test.{method.__name__}")(method)
        app.method("test.loop", run="loop")(lambda number: number)
        app.method("test.thread", thread=True)(self.in_thread)

    def add(self, number: int, call: Call) -> int:
        self.executed[call.client_id].append(number)
        self.published += 1
        self.topic.publish(self.published)
        self.latest.publish(self.published)
        self.demand.changed()
        return number

    async def wait(self, number: int, call: Call) -> int:
        await asyncio.sleep(random.random() / 200)
        self.published += 1
        self.topic.publish(self.published)
        await asyncio.sleep(0)
        return number

    async def part(self, most: int) -> AsyncIterator[int]:
        for number in range(most):
            await asyncio.sleep(0)
            yield number

    def in_thread(self, number: int) -> int:
        self.latest.publish(number, key="thread")
        return number

    def disconnect(self) -> int:
        clients = list(self.app.clients.values())
        if len(clients) > CLIENTS // 2:
            random.choice(clients).disconnect("by chance")
        return sum(client.waiting for client in clients)

    def count(self) -> int:
        return self.topic.waiting + len(self.topic.subscriptions)


async def use(running: Running, end: float, seen: dict[str, int]) -> None:
    """One client after another, each of which does what comes to its mind."""
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionError, CallError, OSError):
            async with wslink.connect(running.url, secret="secret", reconnect=False) as link:
                frames = link.subscribe("a.topic", buffer=10_000)
                others = [link.subscribe(name) for name in ("a.latest", "a.demand")]
                last = 0
                while time.monotonic() < end and random.random() < 0.97:
                    number = seen["calls"] = seen["calls"] + 1
                    kind = random.choice(("add", "add", "wait", "thread", "loop", "disconnect", "count", "cancel"))
                    if kind == "cancel":
                        calls = [asyncio.ensure_future(link.call(f"test.{name}", 1)) for name in ("wait", "add")]
                        await asyncio.sleep(random.random() / 500)
                        for call in calls:
                            call.cancel()
                        await asyncio.gather(*calls, return_exceptions=True)
                    elif kind in ("disconnect", "count"):
                        await link.call(f"test.{kind}")
                    else:
                        assert await link.call(f"test.{kind}", number) == number
                with contextlib.suppress(asyncio.TimeoutError):
                    while True:
                        value = await asyncio.wait_for(anext(frames), 0.01)
                        assert value > last, "out of order, or twice"
                        last = value
                        seen["publications"] += 1
                for one in (frames, *others):
                    await one.cancel()


async def test_random_use_from_two_threads_leaves_nothing_behind(often: None, caplog: Any) -> None:
    app = App(secret="secret", limits=Limits(resume_window=0.05))
    counting = Counting(app)
    seen: dict[str, int] = defaultdict(int)
    with Running(app, stop_timeout=1.0) as running:
        end = time.monotonic() + SECONDS
        await asyncio.gather(*(use(running, end, seen) for _ in range(CLIENTS)))
        deadline = time.monotonic() + 10
        service = app._hub.service
        while (app.clients or service.under_way or counting.here) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert (dict(app.clients), counting.here, counting.subscribed) == ({}, set(), set())
        assert (service.under_way, service.busy, service.adrift) == (0, 0, 0)
        assert app._hub.backlog.bytes == 0
        assert not app._hub.connected
    assert seen["calls"] > 100
    assert seen["publications"] > 100
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
