"""Latest-wins methods (TURN-5)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, UsageError

SUPERSEDED = {"code": -32801, "message": "Superseded by a newer call", "data": "test.move"}


class Slider:
    """A latest-wins method that takes a while, and what ran of it."""

    def __init__(self, app: App, kind: str) -> None:
        self.ran = list[Any]()
        self.at_once = self.most = 0
        if kind == "async":
            app.method("test.move", latest=True)(self.move)
        else:
            app.method("test.move", latest=True, thread=kind == "thread")(self.block)

    async def move(self, value: int) -> int:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.ran.append(value)
        try:
            await asyncio.sleep(0.05)
        finally:
            self.at_once -= 1
        return value

    def block(self, value: int) -> int:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.ran.append(value)
        time.sleep(0.05)
        self.at_once -= 1
        return value


@pytest.mark.parametrize("kind", ["async", "thread", "sync"])
async def test_of_the_calls_that_wait_only_the_newest_runs(app: App, serve: Serve, peers: Open, kind: str) -> None:
    """TURN-5: each is answered, in whatever way."""
    slider = Slider(app, kind)
    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    ids = []
    for value in range(40):
        ids.append(await peer.start("test.move", value))
        if value % 10 == 9:  # the client shares its event loop with the server, which a sync method holds up
            await asyncio.sleep(0.02)
    answers = {message["id"]: message for message in [await peer.receive() for _ in ids]}
    results = [answers[id_].get("result") for id_ in ids]
    assert [result for result in results if result is not None] == slider.ran
    assert all(answers[id_]["error"] == SUPERSEDED for id_, result in zip(ids, results, strict=True) if result is None)
    assert slider.ran == sorted(slider.ran)
    assert slider.ran[-1] == 39
    assert 2 <= len(slider.ran) <= 8
    assert slider.most == 1


@pytest.mark.parametrize("kind", ["async", "thread", "sync"])
async def test_clients_and_methods_do_not_wait_for_each_other(app: App, serve: Serve, peers: Open, kind: str) -> None:
    slider = Slider(app, kind)

    @app.method("test.other", latest=True)
    async def other() -> str:
        return "other"

    url = await serve(app)
    one, two = await peers(url, hello={}), await peers(url, hello={})
    ids = [await one.start("test.move", 1), await one.start("test.other"), await two.start("test.move", 2)]
    assert {(await one.receive())["id"] for _ in range(2)} == set(ids[:2])
    assert (await two.receive())["result"] == 2
    assert sorted(slider.ran) == [1, 2]


async def test_a_bad_argument_takes_nobodys_place(app: App, serve: Serve, peers: Open) -> None:
    slider = Slider(app, "async")
    peer = await peers(await serve(app), hello={})
    ids = [await peer.start("test.move", 1)]
    await asyncio.sleep(0.02)
    ids += [await peer.start("test.move", value) for value in (2, "three")]
    answers = {message["id"]: message for message in [await peer.receive() for _ in ids]}
    assert [answers[id_].get("result") for id_ in ids] == [1, 2, None]
    assert answers[ids[2]]["error"]["code"] == -32602
    assert slider.ran == [1, 2]


@pytest.mark.parametrize("kind", ["async", "thread"])
@pytest.mark.parametrize("which", [0, 1])
async def test_a_call_that_is_cancelled_gives_its_turn_on(
    app: App, serve: Serve, peers: Open, kind: str, which: int
) -> None:
    """CAN-1, CAN-2: the one that runs, and the one that waits."""
    slider = Slider(app, kind)
    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    ids = []
    for value in (1, 2):
        ids.append(await peer.start("test.move", value))
        await asyncio.sleep(0.01)
    await peer.extension(6, ids[which])
    answers = {message["id"]: message for message in [await peer.receive() for _ in ids]}
    assert answers[ids[which]]["error"]["code"] == -32800
    assert answers[ids[1 - which]]["result"] == 2 - which
    assert slider.ran == ([1, 2] if which == 0 else [1])
    assert (await peer.call("test.move", 3))["result"] == 3


async def test_calls_that_were_cancelled_before_they_begin(app: App, serve: Serve, peers: Open) -> None:
    slider = Slider(app, "async")
    app.method("test.block")(lambda: time.sleep(0.1))
    peer: Peer = await peers(await serve(app), hello={"features": ["cancel"]})
    await peer.start("test.block")
    for value in range(3):  # all of it arrives at once
        await peer.extension(6, await peer.start("test.move", value))
    answers = [await peer.receive() for _ in range(4)]
    assert sorted(answer.get("error", {}).get("code", 0) for answer in answers) == [-32800] * 3 + [0]
    assert (await peer.call("test.move", 9))["result"] == 9
    assert slider.ran == [9]


async def test_a_failure_gives_the_turn_on(app: App, serve: Serve, peers: Open) -> None:
    @app.method("test.fail", latest=True)
    async def fail() -> None:
        raise ValueError("no")

    peer = await peers(await serve(app), hello={})
    for _ in range(3):
        assert (await peer.call("test.fail"))["error"]["code"] == -32001


def test_a_method_that_streams_is_no_latest_wins_method(app: App) -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(UsageError, match="latest"):
        app.method("test.stream", latest=True)(stream)
