"""A program that calls the server at moments, and from places, of which its authors did not think."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Call, CallError, connect
from wslink.errors import ClientGone

SECONDS = 10


class Frame(bytearray):
    """Publishes when nobody has it any more."""

    def __init__(self, topic: Any, size: int) -> None:
        super().__init__(size)
        self.topic = topic

    def __del__(self) -> None:
        self.topic.publish("gone")


@pytest.mark.timeout(SECONDS)
async def test_what_publishes_as_it_is_forgotten_may_be_retained(app: App, serve: Serve, peers: Open) -> None:
    """The last that holds it is the value of before, which a newer one takes the place of."""
    topic = app.topic("test.topic", retain=True)
    peer = await peers(await serve(app), hello={"secret": "secret"})
    await peer.subscribe(1, "test.topic")
    for _ in range(2):
        topic.publish(memoryview(Frame(topic, 100_000)).toreadonly())
    found = [(await peer.publication())["result"] for _ in range(3)]
    assert len(found) == 3


@pytest.mark.parametrize("threads", [False, True])
async def test_cycles_that_publish_as_they_are_collected(app: App, serve: Serve, peers: Open, threads: bool) -> None:
    topic = app.topic("test.topic")
    count = 0

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            nonlocal count
            count += 1
            topic.publish({"count": count, "more": [1, 2, [3]]})

    def make() -> None:
        for _ in range(300):
            Cycle()
            topic.publish({"made": [{}, {}, []]})

    peer = await peers(await serve(app), hello={"secret": "secret"})
    await peer.subscribe(1, "test.topic")
    before = gc.get_threshold()
    gc.set_threshold(7, 2, 2)
    try:
        if threads:
            await asyncio.gather(*(asyncio.to_thread(make) for _ in range(3)))
        else:
            make()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    numbers = []
    while len([one for one in numbers if "made" in one]) < (900 if threads else 300):
        numbers.append((await peer.publication())["result"])


async def test_publishing_after_the_end_does_nothing(app: App, peers: Open) -> None:
    topic = app.topic("test.topic")
    calls: list[Call] = []

    @app.method("test.keep")
    def keep(call: Call) -> None:
        calls.append(call)

    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
    peer = await peers(f"ws://127.0.0.1:{server.port}/ws", hello={"secret": "secret"})
    client = app.clients[peer.client_id]
    await peer.subscribe(1, "test.topic")
    await peer.call("test.keep")
    await server.stop()
    for _ in range(2):
        assert topic.publish(1) == 0
        topic.changed()
        client.disconnect()
        calls[0].progress(5)
        assert not client.groups
        with pytest.raises((ClientGone, CallError)):
            await client.call("a.b")
        await asyncio.to_thread(topic.publish, 2)
        await asyncio.to_thread(topic.changed)
    assert await topic.publish_wait(3) == 0


async def ask(peer: Peer, method: str, argument: Any) -> None:
    await peer.send({"wslink": "1.0", "id": "system:test:1", "method": method, "args": [argument]})


async def test_a_client_may_be_disconnected_anywhere(app: App, serve: Serve, peers: Open, caplog: Any) -> None:
    topic = app.topic("test.topic")
    where = ""

    def disconnect(client_id: str) -> None:
        client = app.clients.get(client_id)
        if client is not None:
            client.disconnect(where)

    app.on_connect(lambda client_id: disconnect(client_id) if where == "connect" else None)
    topic.on_subscribe(lambda one: disconnect(one.client_id) if where == "subscribe" else None)
    topic.on_unsubscribe(lambda one: disconnect(one.client_id) if where == "unsubscribe" else None)
    app.on_disconnect(lambda client_id: (topic.publish(client_id), disconnect(client_id)))

    @app.method("test.sync")
    def sync(call: Call) -> str:
        disconnect(call.client_id)
        topic.publish("in between")
        return "result"

    @app.method("test.later")
    async def later(call: Call) -> str:
        disconnect(call.client_id)
        await asyncio.sleep(0)
        topic.publish("in between")
        return "result"

    url = await serve(app)
    other = await peers(url, hello={"secret": "secret"})
    for where in ("connect", "subscribe", "unsubscribe", "sync", "later"):
        peer = await peers(url)
        await peer.hello(secret="secret", features=["subscribe"])
        if where in ("subscribe", "unsubscribe"):
            await ask(peer, "wslink.subscribe", {"subscription": 1, "topic": "test.topic"})
        if where == "unsubscribe":
            await ask(peer, "wslink.unsubscribe", {"subscription": 1})
        if where in ("sync", "later"):
            await peer.start(f"test.{where}")
        assert await peer.closed() == (4002, where), where
        told = {(await other.publication())["result"] for _ in range(1 + (where == "sync"))}
        assert told == {peer.client_id, *(["in between"] if where == "sync" else [])}, "a call is cancelled with it"
    assert "raised" not in caplog.text


@pytest.mark.timeout(SECONDS)
def test_threads_may_publish_before_a_server_has_begun_and_after_its_event_loop_has_ended() -> None:
    app = App(secret="secret")
    topic = app.topic("test.topic", retain=True)
    stop = threading.Event()
    errors: list[BaseException] = []

    def publish() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                topic.publish(number, key=str(number % 7))
                topic.changed()
                time.sleep(0.0001)
            except BaseException as error:
                errors.append(error)
                return

    async def serve() -> None:
        for _ in range(2):
            server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
            async with connect(f"ws://127.0.0.1:{server.port}/ws", secret="secret") as link:
                await anext(aiter(link.subscribe("test.topic")))
            await server.stop()

    threads = [threading.Thread(target=publish, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(serve())
        time.sleep(0.05)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not errors
