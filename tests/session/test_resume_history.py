"""What a client and its server did over connections that are cut at random: nothing lost, doubled or out of order.

`WSLINK_CUTS` sets how many cuts there are, `WSLINK_SEED` the first seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from typing import Any

import aiohttp
import pytest

from tests.conftest import Serve
from tests.session.returning import FEATURES, Returning
from wslink import App

CUTS = int(os.environ.get("WSLINK_CUTS", "40"))
SEED = int(os.environ.get("WSLINK_SEED", "1"))
WAYS = ("reset", "half", "frame", "hello", "open")
SIZES = (10, 10, 10, 10, 2_000, 20_000, 200_000)
"""Bytes of publications, results and arguments; the last two are of several chunks."""


class History:
    """What was published, called and executed.

    Args:
        app: the server's.
        random_: what chance decides.
    """

    def __init__(self, app: App, random_: random.Random) -> None:
        self.app = app
        self.random = random_
        self.topics = [app.topic(f"test.t{number}") for number in range(2)]
        self.frames = app.topic("test.frames", delivery="latest")
        self.newest = [-1, -1, -1]
        """What was published of each key of `frames`."""
        self.published: list[list[int]] = [[], []]
        self.executed: list[int] = []
        self.called = 0
        app.method("test.call")(self._call)
        app.method("test.late")(self._late)

    def _call(self, number: int, data: bytes, size: int) -> list[Any]:
        self.executed.append(number)
        return [number, len(data), bytes(size)]

    async def _late(self, number: int, data: bytes, size: int) -> list[Any]:
        self.executed.append(number)
        await asyncio.sleep(self.random.random() / 20)
        return [number, len(data), bytes(size)]

    async def publish(self) -> None:
        while True:
            for _ in range(self.random.randrange(4)):
                topic = self.random.randrange(2)
                number = len(self.published[topic])
                self.published[topic].append(number)
                self.topics[topic].publish([topic, number, bytes(self.random.choice(SIZES))])
            key = self.random.randrange(3)
            self.newest[key] += 1
            self.frames.publish(["frame", self.newest[key], key, bytes(self.random.choice(SIZES))], key=key)
            await asyncio.sleep(self.random.random() / 100)

    async def settle(self, client: Returning) -> None:
        """Tell the server of frames that have arrived (FLOW-5)."""
        while True:
            await client.extension(2, 3, len(frames_of(client)), 1)
            await asyncio.sleep(0.01)

    async def call(self, client: Returning) -> None:
        while True:
            for _ in range(self.random.randrange(3)):
                self.called += 1
                method = self.random.choice(("test.call", "test.late"))
                data, size = bytes(self.random.choice(SIZES)), self.random.choice(SIZES)
                await client.start(method, self.called, data, size)
            if self.random.random() < 0.3:
                await client.acknowledge()
            await asyncio.sleep(self.random.random() / 100)


def frames_of(client: Returning) -> list[Any]:
    """The frames that have arrived."""
    return [frame for frame in client.publications if frame[0] == "frame"]


def newest(client: Returning, key: int) -> int:
    """The last frame of a key that has arrived."""
    return max((number for _, number, of, _ in frames_of(client) if of == key), default=-1)


async def lose(client: Returning, way: str, chance: random.Random) -> None:
    """Lose the connection in one of several ways."""
    if way == "hello":  # the response is lost: the client returns with the token that it used
        await client.cut()
        client.socket = await client.http.ws_connect(client.url, max_msg_size=0)
        await client.say_hello()
        await asyncio.sleep(chance.random() / 100)
        await client.cut()
    elif way != "open":
        await client.cut(way)
    else:  # the server does not know yet
        await client._stop_reading()


async def converse(history: History, client: Returning, cuts: int) -> None:
    """Publish and call over a connection that is cut so many times."""
    chance = history.random
    work = [asyncio.create_task(history.publish()), asyncio.create_task(history.call(client))]
    for _ in range(cuts):
        await asyncio.sleep(chance.random() / 20)
        await lose(client, chance.choice(WAYS), chance)
        await asyncio.sleep(chance.choice((0, 0.01, 0.03)))
        answer = await client.connect()
        assert answer["resume"]["resumed"], (answer["resume"], client.token)
        if chance.random() < 0.5:
            await client.acknowledge()
    for task in work:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError, aiohttp.ClientError):
            await task


@pytest.mark.parametrize("features", [FEATURES, [*FEATURES, "flow"]])
@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_nothing_is_lost_doubled_or_out_of_order(
    app: App, serve: Serve, features: list[str], engine: str
) -> None:
    """RES-2 to RES-7, ORD-1; with `latest` delivery the newest of each key, and none after a newer one."""
    history = History(app, random.Random(SEED))
    client = Returning(await serve(app, engine=engine), features)
    client.acknowledges = "flow" in features
    try:
        await client.connect()
        for number in range(2):
            await client.subscribe(number + 1, f"test.t{number}")
        await client.subscribe(3, "test.frames")
        client.results.clear()
        settling = asyncio.create_task(history.settle(client)) if "flow" in features else None
        await converse(history, client, CUTS // 4)
        total = sum(map(len, history.published))
        await client.until(lambda: len(client.results) >= history.called, 20)
        await client.until(lambda: len(client.publications) - len(frames_of(client)) >= total, 20)
        await client.until(lambda: [newest(client, key) for key in range(3)] == history.newest, 20)
        if settling is not None:
            settling.cancel()
    finally:
        await client.close()
    assert sorted(history.executed) == list(range(1, history.called + 1))
    assert sorted(result[0] for result in client.results.values()) == list(range(1, history.called + 1))
    for topic in range(2):
        assert [one[1] for one in client.publications if one[0] == topic] == history.published[topic]
    for key in range(3):
        of_key = [number for _, number, of, _ in frames_of(client) if of == key]
        assert of_key == sorted(set(of_key))
