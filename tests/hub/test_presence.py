"""Who is in a group, topics that end with their subscribers, and calls of all clients: driven by hand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink import CallError
from wslink.hub.hub import Hub
from wslink.hub.presence import Presence
from wslink.session import sender as sending
from wslink.session.entries import Entry
from wslink.session.identity import Identity
from wslink.session.sender import Sender
from wslink.wire.frames import Message, text_frame
from wslink.wire.limits import Limits


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub("app", lambda credentials: Identity("ada"), Limits())
    hub.start()
    yield hub
    await hub.stop(0.1)


def come(hub: Hub, *features: str) -> Line:
    line = Line(hub)
    line.hello(*features)
    return line


def results(line: Line) -> list[Any]:
    return [one["result"] for _, one in line.take()]


async def test_one_that_is_made_again_takes_the_place_of_the_first(hub: Hub) -> None:
    topic = hub.subscriptions.topic("t.who")
    for name in ("g", "g", "other"):
        Presence(topic, hub.community.group(name), hub.community, None)
    line = come(hub, "subscribe")
    line.system("wslink.subscribe", {"subscription": 1, "topic": "t.who"})
    hub.clients[line.session.client_id].join("g")
    assert [next(iter(one)) for one in results(line)[2:]] == ["present", "present", "joined"]


@pytest.mark.parametrize("described", [True, False])
async def test_whoever_joins_and_leaves_is_told(hub: Hub, described: bool, caplog: pytest.LogCaptureFixture) -> None:
    def describe(client: Any) -> dict[str, Any]:
        if client.id == third.session.client_id:
            raise ValueError("no")
        return {"role": "pilot"}

    topic = hub.subscriptions.topic("t.who")
    lines = first, second, third = [come(hub, "subscribe") for _ in range(3)]
    clients = [hub.clients[line.session.client_id] for line in lines]
    more = {"role": "pilot"} if described else {}
    entries = [{"id": one.id, "user": "ada", **({} if one is clients[2] else more)} for one in clients]
    clients[0].join("g")
    Presence(topic, hub.community.group("g"), hub.community, describe if described else None)
    assert not topic.shared
    first.system("wslink.subscribe", {"subscription": 1, "topic": "t.who"})
    assert results(first)[2:] == [{"present": [entries[0]]}]
    with caplog.at_level(logging.ERROR, "wslink"):
        for one in clients[1:]:
            one.join("g")
    clients[1].join("other")
    assert results(first) == [{"joined": entries[1]}, {"joined": entries[2]}]
    assert caplog.messages == ([f"presence t.who: {describe!r} raised"] if described else [])
    second.system("wslink.subscribe", {"subscription": 1, "topic": "t.who"})
    assert results(second)[-1] == {"present": entries}
    clients[0].leave("g")
    clients[0].leave("g")
    third.session.close(1000, "")
    assert results(first) == [{"left": entries[0]}, {"left": entries[2]}]


async def test_a_topic_that_nobody_declared_ends_with_its_subscribers(hub: Hub) -> None:
    """SUB-7."""
    hub.subscriptions.allow_any_topic()
    released, pattern, asking = come(hub), come(hub, "subscribe"), come(hub, "subscribe")
    pattern.system("wslink.subscribe", {"subscription": 7, "topic": "t.*"})
    for _ in range(2):
        asking.system("wslink.subscribe", {"subscription": 1, "topic": "t.x"})
        asking.system("wslink.unsubscribe", {"subscription": 1})
        assert hub.subscriptions.topics == {}
    topic = hub.subscriptions.topic("t.x")
    for line in (released, pattern):
        line.take()
    assert topic.publish(1) == 2
    assert [one.get("subscriptions") for line in (released, pattern) for _, one in line.take()] == [None, [7]]
    for line in (released, pattern, asking):
        line.session.close(1000, "")
    assert topic.subscriptions == ()


async def test_all_clients_are_called(hub: Hub) -> None:
    lines = come(hub, "handle"), come(hub, "handle"), come(hub)
    for line in lines:
        line.take()
    calling = asyncio.ensure_future(hub.clients.call_all("a.b", [1], {"c": 2}, 5))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for n, line in enumerate(lines[:2]):
        [(_, asked)] = line.take()
        assert (asked["method"], asked["args"], asked["kwargs"]) == ("a.b", [1], {"c": 2})
        line.give({"id": asked["id"], **({"error": {"code": 7, "message": "no"}} if n else {"result": 5})})
    found = await calling
    ids = [line.session.client_id for line in lines]
    assert list(found) == ids
    assert found[ids[0]] == 5
    assert [type(found[id_]) for id_ in ids[1:]] == [CallError] * 2
    assert found[ids[1]].code == 7
    late = await hub.clients.call_all("a.b", (), {}, 0.01)
    assert [type(one) for one in late.values()] == [TimeoutError, TimeoutError, CallError]


class Sink:
    writable = True

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def send(self, frames: Any) -> None:
        self.sent += frames

    def limit_unsent(self, limit: int) -> None: ...


async def test_others_have_their_turn_between_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """TURN-1."""
    clock, again = [100.0], list[int]()
    monkeypatch.setattr(sending, "monotonic", lambda: clock[0])
    sink = Sink()
    sender = Sender(sink, 10**6, None, lambda: again.append(sender.pump()))
    sink.writable = False
    for n in range(200):
        text = b"%d" % n
        assert sender.put(Entry(Message((text_frame(text),), len(text)))) == (True, 0)
    sink.writable = True

    def slow(frames: Any) -> None:
        clock[0] += 0.001
        sink.sent += frames

    sink.send = slow  # type: ignore[method-assign]
    assert sender.resume() == 32  # the clock is read after every 32
    assert sender.pump() == 32
    assert again == []
    await asyncio.sleep(0)
    assert again == [32]
    for _ in range(4):
        await asyncio.sleep(0)
    assert again == [32, 32, 32, 32, 8]
    assert [bytes(one.joined()) for one in sink.sent] == [b"%d" % n for n in range(200)]
    await asyncio.sleep(0)
    assert (len(again), sender.resume()) == (5, 0)
