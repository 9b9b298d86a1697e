"""What a publication becomes, for each client and for other workers: driven by hand, to the last field."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink import UsageError
from wslink.hub.cluster import Outgoing
from wslink.hub.hub import Hub
from wslink.hub.retained import RetainedValue
from wslink.hub.topic_types import TopicTypes
from wslink.rpc.methods import Method
from wslink.session.identity import Identity
from wslink.session.observers import Observer, Published
from wslink.wire.codec import V2_WITH_ARRAYS
from wslink.wire.limits import Limits


class Watching(Observer):
    def __init__(self) -> None:
        self.seen: list[Published] = []

    def published(self, publication: Published) -> None:
        self.seen.append(publication)


class FakeCluster:
    """What carries publications to other workers, and keeps them here."""

    def __init__(self) -> None:
        self.log: list[Any] = []

    def publishing(self) -> None:
        self.log.append("publishing")

    def publish(self, outgoing: Outgoing) -> Any:
        self.log.append(outgoing)
        return (7, "worker")

    def submitted(self) -> None:
        self.log.append("submitted")


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.fixture
async def hub(watching: Watching) -> AsyncIterator[Hub]:
    hub = Hub("app", lambda credentials: Identity("ada"), Limits(max_outbox=3000, max_retained=2), observers=[watching])
    hub.start()
    yield hub
    hub.cluster = None
    await hub.stop(0.1)


def watch(hub: Hub, topic: str, *features: str, **more: Any) -> Line:
    line = Line(hub)
    line.hello("subscribe", *features)
    line.system("wslink.subscribe", {"subscription": 5, "topic": topic, **more})
    line.take()
    return line


def results(line: Line) -> list[Any]:
    return [one["result"] for _, one in line.take()]


async def test_observers_are_told_of_each_encoding(hub: Hub, watching: Watching) -> None:
    topic = hub.subscriptions.topic("t.a")
    plain, arrays = watch(hub, "t.a"), watch(hub, "t.a", "arrays")
    assert topic.publish("x", {"row": 1}) == 2
    told = {(one.topic, one.size, len(one.clients)) for one in watching.seen}
    assert {one.clients[0] for one in watching.seen} == {plain.session, arrays.session}
    assert told == {("t.a", plain.sizes[-1], 1)}
    assert [one.tags for one in watching.seen] == [{"row": 1}] * 2
    ids = {one["id"] for line in (plain, arrays) for _, one in line.take()}
    assert ids == {"publish:t.a:0"}
    topic.publish("y")
    assert [one["id"] for _, one in plain.take()] == ["publish:t.a:1"]
    [subscription] = [one for one in topic.subscriptions if one.session is plain.session]
    topic.deliver_to(subscription, plain.session.encoder.pack("z"), None)
    assert (watching.seen[-1].tags, watching.seen[-1].clients, watching.seen[-1].topic) == (
        None,
        (plain.session,),
        "t.a",
    )
    assert [(one["result"], one["subscriptions"]) for _, one in plain.take()] == [("z", [5])]


async def test_a_publication_is_for_some_clients(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    topic = hub.subscriptions.topic("t.a")
    lines = [watch(hub, "t.a") for _ in range(3)]
    clients = [hub.clients[line.session.client_id] for line in lines]
    clients[0].join("g")
    clients[1].join("g")
    group = hub.community.group("g")
    sent: list[Any] = []
    for n, options in enumerate(
        (
            {"to": clients[0]},
            {"to": clients[1].id},
            {"to": group},
            {"exclude": group},
            {"exclude": clients[0].id},
            {"to": group, "exclude": clients[0]},
        )
    ):
        sent.append(topic.publish(n, **options))
    assert sent == [1, 1, 2, 1, 2, 1]
    assert [results(line) for line in lines] == [[0, 2], [1, 2, 4, 5], [3, 4]]
    assert caplog.messages == []
    with caplog.at_level(logging.WARNING, "wslink"):
        assert topic.publish(9, to="nobody") == 0
        assert topic.publish(9, to=hub.community.group("empty")) == 0
    assert caplog.messages == ["topic t.a: there is no client 'nobody' to publish to"]
    assert [
        topic.wants(),
        topic.waiting,
        hub.subscriptions.topic("t.b").wants(),
        hub.subscriptions.topic("t.b").waiting,
    ] == [
        True,
        0,
        False,
        0,
    ]
    lines[0].writable = False
    topic.publish("waits")
    assert topic.waiting == lines[0].session.queue.waiting > 0


async def test_what_ended_meanwhile_is_sent_nothing(hub: Hub) -> None:
    topic = hub.subscriptions.topic("t.a")
    line, other = watch(hub, "t.a"), watch(hub, "t.a")
    line.system("wslink.subscribe", {"subscription": 6, "topic": "t.a"})
    line.take()

    def publish() -> None:
        topic.publish("x")
        line.session._owner.subscriptions.unsubscribe(line.session, 5)  # type: ignore[attr-defined]
        other.session.close(1000, "")

    hub.service.methods.add(Method("a.publish", publish))
    line.call("a.publish")
    assert [(one.get("result"), one.get("subscriptions")) for _, one in line.take()] == [(None, None), ("x", [6])]
    assert other.take() == []


async def test_other_workers_are_told(hub: Hub) -> None:
    cluster = FakeCluster()
    hub.cluster = cluster  # type: ignore[assignment]
    topic, latest = hub.subscriptions.topic("t.a"), hub.subscriptions.topic("t.b", "latest", True)
    assert topic.publish({"x": 1}, {"row": 1}, key="k", to="someone", exclude="other") == 0
    assert latest.publish("y", {"row": 2}) == 0
    topic.shared = False
    assert topic.publish("z") == 0
    [first, one, last, again, two, end] = cluster.log
    assert (first, last, again, end) == ("publishing", "submitted", "publishing", "submitted")
    assert (one.topic, one.delivery, one.retain, one.tags, one.key, one.slot, one.to, one.exclude) == (
        "t.a",
        "reliable",
        False,
        {"row": 1},
        "k",
        None,
        "someone",
        "other",
    )
    assert V2_WITH_ARRAYS.unpack(one.packed) == {"x": 1}
    slot = ("t.b", (("row", False, 2),))
    assert (two.topic, two.delivery, two.retain, two.slot, two.to) == ("t.b", "latest", True, slot, None)
    [kept] = latest.retained.values()  # type: ignore[union-attr]
    assert (kept.version, kept.key, kept.tags) == ((7, "worker"), None, {"row": 2})
    with pytest.raises(UsageError):
        latest.publish("x", key=[1])
    assert cluster.log[-1] == "submitted"


async def test_what_another_worker_published_is_delivered(hub: Hub, watching: Watching) -> None:
    latest = hub.subscriptions.topic("t.b", "latest", True)
    line, filtered, flowing = watch(hub, "t.b"), watch(hub, "t.b", filter={"row": 2}), watch(hub, "t.b", "flow")

    def value(payload: Any, version: int) -> RetainedValue:
        return RetainedValue({"row": 1}, {V2_WITH_ARRAYS: V2_WITH_ARRAYS.pack(payload)}, (version, "w"), "k")

    latest.receive(value("x", 2), ("t.b", "k"), None, None)
    latest.receive(value("private", 3), ("t.b", "k"), line.session.client_id, None)
    latest.receive(value("others", 1), ("t.b", "k"), None, line.session.client_id)
    assert [results(one) for one in (line, filtered, flowing)] == [["x", "private"], [], ["x", "others"]]
    late = Line(hub)
    late.hello("subscribe")
    late.system("wslink.subscribe", {"subscription": 1, "topic": "t.b"})
    assert [one["result"] for _, one in late.take()][2:] == ["x"]
    line.writable = False
    for n in range(3):
        latest.receive(value(n, 4 + n), ("t.b", "k"), None, None)
    line.writable = True
    line.session.resume()
    assert results(line) == [2]
    assert [one.tags for one in watching.seen[:2]] == [{"row": 1}] * 2


async def test_what_is_retained_is_sent_in_order_and_replaced(hub: Hub) -> None:
    reliable, latest = hub.subscriptions.topic("t.r", retain=True), hub.subscriptions.topic("t.l", "latest", True)
    for topic in (reliable, latest):
        for n in range(3):
            assert topic.publish(n, {"row": n}) == 0
        line = Line(hub)
        line.hello("subscribe")
        line.system("wslink.subscribe", {"subscription": 1, "topic": topic.name, "filter": {"row": {"gte": 1}}})
        assert [(one["result"], one["subscriptions"]) for _, one in line.take()[2:]] == [(1, [1]), (2, [1])]
        assert topic.publish(7, {"row": 2}, to=line.session.client_id) == 1
        assert topic.publish(8, {"row": 2}, exclude=line.session.client_id) == 0
        assert results(line) == [7]
        line.system("wslink.subscribe", {"subscription": 1, "topic": topic.name})
        assert results(line)[1:] == []  # of what is kept, nothing is new to it
        other = Line(hub)
        other.hello("subscribe")
        other.writable = False
        other.system("wslink.subscribe", {"subscription": 1, "topic": topic.name})
        topic.publish(9, {"row": 2})
        other.writable = True
        other.session.resume()
        found = [one["result"] for _, one in other.take()[2:]]
        assert found == ([1, 9] if topic is latest else [1, 8, 9])


async def test_a_publisher_waits_for_the_slowest(hub: Hub) -> None:
    topic, latest = hub.subscriptions.topic("t.a"), hub.subscriptions.topic("t.b", "latest")
    slow, fast = watch(hub, "t.a"), watch(hub, "t.a")
    slow.system("wslink.subscribe", {"subscription": 9, "topic": "t.b"})
    slow.writable = False
    assert await topic.publish_wait("x" * 1976) == 2
    assert not slow.session.has_room or slow.session.queue.waiting <= 3000
    topic.publish("y" * 3000, to=slow.session.client_id)
    waiting = asyncio.ensure_future(topic.publish_wait("z", {"row": 1}, exclude=None))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    assert await topic.publish_wait("w", to=fast.session.client_id) == 1
    assert await topic.publish_wait("v", exclude=slow.session.client_id) == 1
    assert await latest.publish_wait("l", key="k") == 1
    slow.writable = True
    slow.session.resume()
    assert await asyncio.wait_for(waiting, 1) == 2
    assert [one if len(one) == 1 else len(one) for one in results(fast)] == [1976, "w", "v", "z"]


async def test_publications_are_checked_in_debug_mode(hub: Hub) -> None:
    types = TopicTypes("t.a", int, None, "")
    topic = hub.subscriptions.topic("t.a", types=types)
    assert topic.check is None
    topic.publish("x")
    revision = hub.subscriptions.revision
    hub.subscriptions.check_types(True)
    for given in (topic, hub.subscriptions.topic("t.b", types=types)):
        with pytest.raises(UsageError):
            given.publish("x")
    hub.subscriptions.check_types(False)
    assert (topic.check, hub.subscriptions.revision) == (None, revision + 2)
    hub.subscriptions.topic("t.c")
    assert hub.subscriptions.revision == revision + 3
    hub.subscriptions.topic("t.c")
    assert hub.subscriptions.revision == revision + 3


async def test_topics_that_are_named_from_outside(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    registry = hub.subscriptions
    registry.topic("t.made")
    with caplog.at_level(logging.WARNING, "wslink"):
        registry.deliver_latest({"t.made": "", "t.image": "id", "t.plain": ""})
    assert caplog.messages == ["latest: topic t.made was made with delivery 'reliable', which counts"]
    assert [registry.topics[name].delivery for name in ("t.made", "t.image", "t.plain")] == [
        "reliable",
        "latest",
        "latest",
    ]
    lines = {name: watch(hub, name) for name in ("t.made", "t.image", "t.plain")}
    for name, line in lines.items():
        line.writable = False
        for payload in ({"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 1, "n": 3}):
            assert registry.publish(name, payload, None, None) == 1
        assert registry.publish(name, {"id": 1, "n": 4}, None, line.session.client_id) == 0
        assert registry.publish(name, {"id": 3, "n": 5}, line.session.client_id, None) == 1
        line.writable = True
        line.session.resume()
    assert {name: [one["n"] for one in results(line)] for name, line in lines.items()} == {
        "t.made": [1, 2, 3, 5],
        "t.image": [3, 2, 5],
        "t.plain": [5],
    }
    assert registry.open_topic("t.new") is registry.open_topic("t.new")
    assert registry.topics["t.new"].declared
    line = Line(hub)
    line.hello("subscribe")
    unknown = {"subscription": 1, "topic": "t.unknown"}
    assert line.system("wslink.subscribe", unknown)["error"]["code"] == -32602
    registry.allow_any_topic()
    assert line.system("wslink.subscribe", unknown) == {"result": {"delivery": "reliable"}}
    assert not registry.topics["t.unknown"].declared
    line.system("wslink.unsubscribe", {"subscription": 1})
    assert "t.unknown" not in registry.topics
