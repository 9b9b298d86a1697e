"""Clients whose calls publish more than others take (TURN-2)."""

from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from tests.conftest import Open, Serve
from tests.hostile import wire
from tests.hostile.sockets import Target, WebSocket
from tests.hostile.wire import BINARY
from tests.peers import Peer
from tests.session.test_delivery import MIB
from wslink import App, Limits
from wslink.hub import publishers

HELLO = {"secret": "secret", "features": ["subscribe"]}
CALLS = 1_200


def subscribed(port: int) -> WebSocket:
    """A subscriber that reads nothing."""
    socket = WebSocket.open(Target("picows", port))
    socket.hello("secret", features=["subscribe"])
    socket.write(socket.frame(BINARY, wire.message(wire.subscribe(1, "test.topic", {}))))
    return socket


async def publishing(serve: Serve, peers: Open) -> tuple[App, str, list[WebSocket], Peer, list[int]]:
    """A server, its address, four subscribers that read nothing, a client that publishes, and how much it has."""
    app = App(secret="secret", limits=Limits(max_server_outbox=MIB))
    topic, published = app.topic("test.topic"), [0]

    @app.method("test.publish")
    def publish() -> None:
        published[0] += 1
        topic.publish(bytes(4000))

    app.method("test.quick")(lambda: 1)
    url = await serve(app)
    port = int(url.split(":")[2].split("/")[0])
    deaf = await asyncio.to_thread(lambda: [subscribed(port) for _ in range(4)])
    return app, url, deaf, await peers(url, hello=HELLO), published


async def settled(published: list[int]) -> int:
    """How much has been published once no more is."""
    before, end = -1, monotonic() + 10
    while before != published[0] and monotonic() < end:
        before = published[0]
        await asyncio.sleep(0.1)
    return before


async def answers(peer: Peer, asked: list[str]) -> None:
    for id_ in asked:
        assert "result" in await peer.answer(id_)


async def test_a_client_that_publishes_is_held_up_where_others_do_not_read(serve: Serve, peers: Open) -> None:
    app, url, deaf, publisher, published = await publishing(serve, peers)
    asked = [await publisher.start("test.publish") for _ in range(CALLS)]
    assert await settled(published) < CALLS // 2
    assert sum(client.waiting for client in app.clients.values()) < 4 * MIB
    other = await peers(url, hello=HELLO)
    before = published[0]
    assert "result" in await other.call("test.publish")  # it has published nothing
    assert published[0] == before + 1
    for one in deaf:
        one.close()
    await answers(publisher, asked)
    assert published[0] == CALLS + 1


async def test_it_goes_on_after_a_while(serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes little enough could hold it up for ever otherwise."""
    monkeypatch.setattr(publishers, "PATIENCE", 0.3)
    _, _, deaf, publisher, published = await publishing(serve, peers)
    asked = [await publisher.start("test.publish") for _ in range(CALLS)]
    some = await settled(published)
    end = monotonic() + 5
    while published[0] < some + 100 and monotonic() < end:
        await asyncio.sleep(0.05)
    assert some + 100 <= published[0] < CALLS
    for one in deaf:
        one.close()
    await answers(publisher, asked)
