"""Workers with the real Redis and the real NATS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.servers import Server
from tests.cluster.test_cluster import HELLO
from tests.conftest import Open, Serve
from tests.waiting import until
from wslink import App, Limits, UsageError
from wslink.cluster import nats_log, redis_log

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(params=["redis", "nats"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(request.param, tmp_path)
    yield server
    server.stop()


class Pair:
    """Two workers, each with a client that follows `test.topic`."""

    def __init__(self) -> None:
        self.apps: list[App] = []
        self.got: list[list[Any]] = [[], []]
        self.tasks: list[asyncio.Task[None]] = []


@pytest.fixture
async def pair(server: Server, serve: Serve, peers: Open) -> AsyncIterator[Pair]:
    pair = Pair()
    for got in pair.got:
        app = App(secret="secret", broker=server.url)
        app.topic("test.topic")
        app.topic("test.state", delivery="latest", retain=True)
        pair.apps.append(app)
        peer = await peers(await serve(app), hello=HELLO)
        await peer.subscribe(1, "test.topic")
        await peer.subscribe(2, "test.state")

        async def read(peer: Any = peer, got: list[Any] = got) -> None:
            while True:
                got.append((await peer.receive())["result"])

        pair.tasks.append(asyncio.create_task(read()))
    await until(lambda: all(len(app.clients) == 2 for app in pair.apps))
    yield pair
    for task in pair.tasks:
        task.cancel()
    await asyncio.wait(pair.tasks)


def publish(pair: Pair, first: int, count: int) -> list[int]:
    topic = pair.apps[0].topic("test.topic")
    for number in range(first, first + count):
        topic.publish(number)
    return list(range(first + count))


async def test_every_publication_arrives_once_and_in_order(pair: Pair) -> None:
    large = b"x" * 3_000_000
    expected: list[Any] = publish(pair, 0, 2_000)
    pair.apps[0].topic("test.topic").publish(large)
    await until(lambda: len(pair.got[1]) == 2_001)
    assert pair.got[1] == [*expected, large]


async def test_a_broker_that_stands_still_loses_nothing(pair: Pair, server: Server) -> None:
    expected = publish(pair, 0, 10)
    await until(lambda: pair.got[1] == expected)
    pausing = asyncio.create_task(server.pause(1))
    await asyncio.sleep(0.1)
    expected = publish(pair, 10, 500)
    await pausing
    await until(lambda: len(pair.got[1]) >= len(expected), 20)
    assert pair.got == [expected, expected]


async def test_a_broker_that_lost_its_memory_is_taken_up_again(pair: Pair, server: Server) -> None:
    expected = publish(pair, 0, 10)
    await until(lambda: pair.got[1] == expected)
    server.stop()
    expected = publish(pair, 10, 50)
    server.start()
    await until(lambda: len(pair.got[1]) >= len(expected), 20)
    assert pair.got == [expected, expected]
    pair.apps[1].topic("test.state", delivery="latest").publish("back", key=1)
    await until(lambda: "back" in pair.got[0])


async def test_latency_is_a_few_milliseconds(pair: Pair) -> None:
    took = []
    for number in range(200):
        began = time.perf_counter()
        pair.apps[0].topic("test.topic").publish(number)
        while len(pair.got[1]) <= number:
            await asyncio.sleep(0)
        took.append(time.perf_counter() - began)
    assert sorted(took)[100] < 0.05, sorted(took)[100]


@pytest.mark.parametrize(
    "url", ["amqp://localhost", "localhost:6379", "redis://localhost?name=a b", "http://localhost"]
)
def test_another_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not of the form"):
        App(broker=url)


async def test_the_stream_is_bounded_in_bytes_too(
    server: Server, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is large goes through the broker where workers share no memory: here 24 MiB of it, of which 4 are kept."""
    monkeypatch.setattr(redis_log, "MAX_BYTES", 4 * 2**20)
    monkeypatch.setattr(nats_log, "MAX_BYTES", 4 * 2**20)
    apps = [App(secret="secret", broker=server.url, limits=Limits(max_shared=0)) for _ in range(2)]
    topics = [app.topic("test.topic") for app in apps]
    peer = await peers(await serve(apps[0]), hello=HELLO)
    await peer.subscribe(1, "test.topic")
    await serve(apps[1])
    await until(lambda: len(apps[1].clients) == 1)
    for number in range(24):
        topics[1].publish(bytes([number]) * 2**20)
        assert (await peer.receive())["result"] == bytes([number]) * 2**20
    assert await server.kept() < 7 * 2**20
