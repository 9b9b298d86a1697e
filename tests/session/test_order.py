"""What a call publishes comes after its answer, or at its first suspension (ORD-1 to ORD-3)."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Call
from wslink.rpc.ordering import ResponseFirst, current_call

HELLO = {"secret": "secret"}


async def kinds(peer: Peer, count: int) -> list[Any]:
    messages = [await peer.receive() for _ in range(count)]
    return [message["result"] for message in messages]


@pytest.mark.parametrize("generation", [1, 2])
async def test_the_answer_comes_before_what_was_published(app: App, serve: Serve, peers: Open, generation: int) -> None:
    topic = app.topic("test.topic")

    def publish(answer: str) -> str:
        topic.publish("first")
        topic.publish("second")
        return answer

    async def publish_async(answer: str) -> str:
        return publish(answer)

    app.method("test.sync")(publish)
    app.method("test.async")(publish_async)
    peer = await peers(await serve(app), generation, hello=HELLO)
    for method in ("test.sync", "test.async"):
        await peer.start(method, "answer")
        assert await kinds(peer, 3) == ["answer", "first", "second"]


async def test_what_is_published_before_an_await_goes_out_at_that_await(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    gate = asyncio.Event()

    @app.method("test.progress")
    async def progress() -> str:
        topic.publish("begun")
        await gate.wait()
        topic.publish("done")
        return "answer"

    peer = await peers(await serve(app), hello=HELLO)
    await peer.start("test.progress")
    assert await kinds(peer, 1) == ["begun"]
    gate.set()
    assert await kinds(peer, 2) == ["answer", "done"]


async def test_a_failing_call_answers_before_what_it_published(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")

    @app.method("test.fail")
    def fail() -> None:
        topic.publish("before")
        raise ValueError

    peer = await peers(await serve(app), hello=HELLO)
    await peer.start("test.fail")
    assert (await peer.receive())["error"]["code"] == -32001
    assert (await peer.receive())["result"] == "before"


async def test_publications_of_a_suspended_call_stay_before_later_ones(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    gate = asyncio.Event()

    @app.method("test.outer")
    async def outer() -> None:
        topic.publish(1)
        asyncio.get_running_loop().call_soon(gate.set)
        await gate.wait()

    async def background() -> None:
        await gate.wait()
        topic.publish(2)

    peer = await peers(await serve(app), hello=HELLO)
    task = asyncio.create_task(background())
    await peer.start("test.outer")
    results = await kinds(peer, 3)
    assert [result for result in results if result] == [1, 2]
    await task


async def test_what_others_publish_in_the_same_turn_comes_after_what_is_held() -> None:
    ordering, delivered = ResponseFirst(), list[str]()
    calls = [Call("c", "test.method", None, f"rpc:c1:{number}") for number in range(2)]
    for call, name in ((calls[0], "first"), (calls[1], "second"), (None, "third"), (calls[0], "fourth")):
        token = current_call.set(call)
        ordering.submit(functools.partial(delivered.append, name))
        current_call.reset(token)
    assert delivered == ["first", "second", "third"]
    await asyncio.sleep(0)
    assert delivered == ["first", "second", "third", "fourth"]


async def test_publications_from_a_thread_keep_their_order_and_arrive(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)

    def work() -> None:
        for n in range(200):
            topic.publish(n)

    await asyncio.to_thread(work)
    assert [(await peer.publication())["result"] for _ in range(200)] == list(range(200))


async def test_a_task_that_outlives_its_call_publishes_at_once(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    tasks = []

    async def later() -> None:
        await asyncio.sleep(0.01)
        topic.publish("later")

    @app.method("test.spawn")
    async def spawn() -> str:
        tasks.append(asyncio.create_task(later()))
        return "answer"

    peer = await peers(await serve(app), hello=HELLO)
    await peer.start("test.spawn")
    assert await kinds(peer, 2) == ["answer", "later"]
