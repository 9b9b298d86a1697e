"""Groups of clients, and presence."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.session.returning import Returning
from wslink import App, Call, Client, UsageError

HELLO = {"secret": "secret", "features": ["subscribe"]}


def shared(app: App) -> list[tuple[str, str, str]]:
    """An App whose clients join and leave; what it is told of that."""
    told: list[tuple[str, str, str]] = []

    @app.method("test.join")
    def join(group: str, call: Call) -> bool:
        return app.clients[call.client_id].join(group)

    @app.method("test.leave", thread=True)
    def leave(group: str, call: Call) -> bool:
        return app.clients[call.client_id].leave(group)

    @app.on_join
    def joined(client: Client, group: str) -> None:
        told.append(("joined", client.id, group))

    @app.on_leave
    async def left(client: Client, group: str) -> None:
        told.append(("left", client.id, group))

    return told


async def test_a_publication_may_be_for_a_group(serve: Serve, peers: Open, app: App) -> None:
    told, topic = shared(app), app.topic("test.topic")
    url = await serve(app)
    one, two, three = [await peers(url, hello=HELLO) for _ in range(3)]
    for peer in (one, two, three):
        await peer.subscribe(1, "test.topic", {"row": {"gte": 1}})
    assert [(await peer.call("test.join", "room"))["result"] for peer in (one, two, one)] == [True, True, False]
    room = app.group("room")
    assert (len(room), [client.id for client in room]) == (2, [one.client_id, two.client_id])
    assert (one.client_id in room, app.clients[three.client_id] in room) == (True, False)
    assert app.clients[one.client_id].groups == ("room",)
    assert topic.publish("inside", {"row": 1}, to=room) == 2
    assert topic.publish("outside", {"row": 1}, exclude=room) == 1
    assert topic.publish("filters count", {"row": 0}, to=room) == 0
    assert topic.publish("one", {"row": 1}, to=app.clients[two.client_id]) == 1
    assert (await one.receive())["result"] == "inside"
    assert [(await two.receive())["result"] for _ in range(2)] == ["inside", "one"]
    assert (await three.receive())["result"] == "outside"
    assert (await two.call("test.leave", "room"))["result"] is True
    assert (await two.call("test.leave", "room"))["result"] is False
    assert topic.publish("inside", {"row": 1}, to=room) == 1
    assert topic.publish("nobody", {"row": 1}, to=app.group("other")) == 0
    client = app.clients[one.client_id]
    await one.close()
    while len(room):
        await asyncio.sleep(0.01)
    assert client.join("room") is False, "it has gone"
    await asyncio.sleep(0.01)
    assert told == [
        ("joined", one.client_id, "room"),
        ("joined", two.client_id, "room"),
        ("left", two.client_id, "room"),
        ("left", one.client_id, "room"),
    ]
    with pytest.raises(UsageError, match="a group's name is a string"):
        app.clients[three.client_id].join("")


async def test_a_client_that_returns_is_still_in_its_groups(serve: Serve, app: App) -> None:
    told, topic = shared(app), app.topic("test.topic")
    client = Returning(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    assert await client.call("test.join", "room") is True
    await client.cut()
    await asyncio.sleep(0.05)
    assert topic.publish("meanwhile", to=app.group("room")) == 1
    assert (await client.connect())["resume"]["resumed"] is True
    assert await client.call("test.join", "room") is False
    await client.until(lambda: bool(client.publications))
    assert (client.publications, [what for what, *_ in told]) == (["meanwhile"], ["joined"])
    await client.leave()
    await client.close()
    while len(app.group("room")):
        await asyncio.sleep(0.01)


async def test_presence_is_a_topic(serve: Serve, peers: Open, app: App) -> None:
    told = shared(app)
    app.presence("room.presence", "room", lambda client: {"name": client.address})
    url = await serve(app)
    one, two, watcher = [await peers(url, hello=HELLO) for _ in range(3)]
    await one.call("test.join", "room")
    await watcher.subscribe(1, "room.presence")
    first: dict[str, Any] = {"id": one.client_id, "user": "", "name": "127.0.0.1"}
    second = {**first, "id": two.client_id}
    assert (await watcher.receive())["result"] == {"present": [first]}
    await two.call("test.join", "room")
    await two.call("test.join", "another")
    await one.close()
    assert [(await watcher.receive())["result"] for _ in range(2)] == [{"joined": second}, {"left": first}]
    assert told
