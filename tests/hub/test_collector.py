"""What the garbage collector has to look at, which stops everybody meanwhile: of clients that are there, and of those
that have gone."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import msgpack
import pytest

from tests.conftest import Open, Serve
from tests.hostile import wire
from tests.hostile.sockets import Target, WebSocket
from tests.hostile.wire import BINARY, CLOSE
from wslink import App, Limits

SUBSCRIPTIONS, CONNECTIONS = 200, 10
FEATURES = ["subscribe", "flow", "cancel", "progress", "stream", "handle", "resume", "arrays"]


def tracked() -> int:
    for _ in range(3):  # a tuple is let alone once what is in it is
        gc.collect()
    return len(gc.get_objects())


async def test_a_subscription_is_few_objects(serve: Serve, peers: Open) -> None:
    """However many values and conditions its filter has."""
    app = App(secret="secret")
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello={"secret": "secret", "features": ["subscribe"]})
    definition: dict[str, Any] = {"row": {"gte": 0, "lt": 9}, "kind": ["frame", "other"], "or": [{"a": 1}, {"b": [2]}]}
    assert "result" in await peer.subscribe(SUBSCRIPTIONS + 1, "test.topic", definition)
    before = tracked()
    for number in range(SUBSCRIPTIONS):
        await peer.subscribe(number + 1, "test.topic", {**definition, "not": {"number": number}})
    assert len(topic.subscriptions) == SUBSCRIPTIONS + 1
    assert (tracked() - before) / SUBSCRIPTIONS < 5
    assert topic.subscriptions[-1].filter == {**definition, "not": {"number": SUBSCRIPTIONS - 1}}


def come_and_go(port: int, how: str) -> None:
    """Connect, subscribe, leave calls under way, and go."""
    for _ in range(CONNECTIONS):
        socket = WebSocket.open(Target("picows", port))
        socket.hello("secret", features=FEATURES)
        subscription = wire.subscribe(1, "test.topic", {"row": {"gte": 0}, "kind": ["frame"]})
        messages = [subscription, *(wire.call("test.later") for _ in range(3)), *(wire.call("test.now"),) * 50]
        for number, message in enumerate(messages, 1):
            socket.write(socket.frame(BINARY, wire.chunk(msgpack.packb(message), 0, None, number)))
        socket.receive()
        if how == "close":
            socket.write(socket.frame(CLOSE, b"\x03\xe8"))
        socket.close()


@pytest.mark.parametrize("how", ["close", "cut"])
async def test_a_connection_that_has_ended_is_freed_without_it(serve: Serve, how: str) -> None:
    """What it leaves in circles waits for a full collection, which would have much to look at."""
    app = App(secret="secret", limits=Limits(resume_window=0.01))
    topic, left = app.topic("test.topic", delivery="latest"), list[str]()
    app.on_disconnect(left.append)
    topic.on_demand(lambda viewer: {"row": 1})

    @app.method("test.later")
    async def later() -> None:
        await asyncio.sleep(60)

    app.method("test.now")(lambda: 1)
    port = int((await serve(app, engine="picows")).split(":")[2].split("/")[0])
    await asyncio.to_thread(come_and_go, port, how)  # what comes the first time stays
    gc.collect()
    gc.disable()
    try:
        await asyncio.to_thread(come_and_go, port, how)
        while len(left) < 2 * CONNECTIONS:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.3)
        assert gc.collect() / CONNECTIONS < 15  # asyncio's own are left
    finally:
        gc.enable()
