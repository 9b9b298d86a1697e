"""Topics, subscriptions with filters, and fan-out."""

from __future__ import annotations

import asyncio
import enum
import gc
import weakref
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits, NotSerializable, Subscription
from wslink.wire.v2_msgpack import V2Encoder

FEATURES = {"secret": "secret", "features": ["subscribe"]}
RELEASED = {"secret": "secret"}


async def nothing_more(app: App, peer: Peer) -> None:
    """What was published before this call would have arrived before its answer."""
    app.method("test.flush")(lambda: "flushed")
    await peer.call("test.flush")
    assert not peer.publications


async def test_only_what_matches_the_filter_is_sent(app: App, serve: Serve, peers: Open) -> None:
    """SUB-1."""
    tiles = app.topic("test.tile")
    peer = await peers(await serve(app), hello=FEATURES)
    assert (await peer.subscribe(1, "test.tile", {"row": {"gte": 3, "lt": 6}}))["result"] == {"delivery": "reliable"}
    counts = [tiles.publish(row, tags={"row": row}) for row in range(10)]
    assert counts == [0, 0, 0, 1, 1, 1, 0, 0, 0, 0]
    for row in (3, 4, 5):
        message = await peer.publication()
        assert (message["result"], message["subscriptions"]) == (row, [1])
    await nothing_more(app, peer)


async def test_a_publication_names_every_subscription_that_matches_and_is_sent_once(
    app: App, serve: Serve, peers: Open
) -> None:
    tiles = app.topic("test.tile")
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(7, "test.tile", {"row": [1, 2]})
    await peer.subscribe(3, "test.tile")
    tiles.publish("one", tags={"row": 1})
    tiles.publish("nine", tags={"row": 9})
    assert (await peer.publication())["subscriptions"] == [3, 7]
    assert (await peer.publication())["subscriptions"] == [3]


async def test_a_filter_is_replaced_without_a_gap(app: App, serve: Serve, peers: Open) -> None:
    """SUB-3."""
    tiles = app.topic("test.tile", delivery="latest")
    seen: list[Any] = []
    tiles.on_subscribe(lambda subscription: seen.append(subscription.filter))
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(1, "test.tile", {"row": 1})
    assert (await peer.subscribe(1, "test.tile", {"row": 2}))["result"] == {"delivery": "latest"}
    assert [tiles.publish(row, tags={"row": row}) for row in (1, 2)] == [0, 1]
    assert seen == [{"row": 1}, {"row": 2}]
    assert len(tiles.subscriptions) == 1


async def test_nothing_comes_after_unsubscribing(app: App, serve: Serve, peers: Open) -> None:
    """SUB-5."""
    tiles = app.topic("test.tile")
    ended: list[Subscription] = []
    tiles.on_unsubscribe(ended.append)
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(1, "test.tile")
    assert (await peer.system("wslink.unsubscribe", {"subscription": 1}))["result"] is None
    assert tiles.publish("news") == 0
    assert [subscription.active for subscription in ended] == [False]
    error = (await peer.system("wslink.unsubscribe", {"subscription": 1}))["error"]
    assert (error["code"], error["message"]) == (-32602, "there is no subscription 1")


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"subscription": 1, "topic": "test.tiles"}, "there is no topic 'test.tiles'; topics: test.other, test.tile"),
        ({"subscription": 1, "topic": 7}, "there is no topic 7"),
        ({"subscription": 0, "topic": "test.tile"}, "an integer from 1 to 2^32-1, not 0"),
        ({"subscription": True, "topic": "test.tile"}, "an integer from 1 to 2^32-1, not True"),
        ({"topic": "test.tile"}, "an integer from 1 to 2^32-1, not None"),
        ({"subscription": 1, "topic": "test.tile", "filter": 3}, "a filter must be a map"),
        ({"subscription": 1, "topic": "test.tile", "filter": {"a": {"near": 1}}}, "one or more of gte, gt,"),
        (
            {"subscription": 1, "topic": "test.tile", "filter": {"a": list(range(4097))}},
            "filter on 'a': 4097 values are over max_filter_values (4096)",
        ),
        ({"subscription": 1, "topic": "test.tile", "filter": {"a": "x" * 2000}}, "over max_filter_text (1024)"),
        ({"subscription": 1, "topic": "test.tile", "filter": {"x" * 2000: 1}}, "over max_filter_text (1024)"),
        ({"subscription": 9, "topic": "test.other"}, "subscription 9 is to topic 'test.tile', and cannot change"),
    ],
)
async def test_a_bad_subscription_is_refused_with_the_reason(
    app: App, serve: Serve, peers: Open, request_: dict[str, Any], says: str
) -> None:
    app.topic("test.tile")
    app.topic("test.other")
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(9, "test.tile")
    error = (await peer.system("wslink.subscribe", request_))["error"]
    assert error["code"] == -32602
    assert says in error["message"]
    await nothing_more(app, peer)


async def test_subscriptions_are_bounded(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_subscriptions=2))
    app.topic("test.tile")
    peer = await peers(await serve(app), hello=FEATURES)
    for number in (1, 2):
        await peer.subscribe(number, "test.tile")
    error = (await peer.subscribe(3, "test.tile"))["error"]
    assert (error["code"], error["message"]) == (-32003, "over max_subscriptions (2) subscriptions")
    assert "result" in await peer.subscribe(2, "test.tile", {"row": 1})  # one that exists may still be replaced


async def test_a_released_client_is_sent_everything_and_counts_as_subscribed(
    app: App, serve: Serve, peers: Open
) -> None:
    tiles = app.topic("test.tile")
    seen: list[tuple[int, Any]] = []
    tiles.on_subscribe(lambda subscription: seen.append((subscription.id, subscription.filter)))
    peer = await peers(await serve(app), hello=RELEASED)
    late = app.topic("test.late")
    assert seen == [(0, {})]
    tiles.publish("tile", tags={"row": 1})
    late.publish("late")
    message = await peer.publication()
    assert message == {"wslink": "1.0", "id": "publish:test.tile:0", "result": "tile"}
    assert (await peer.publication())["id"] == "publish:test.late:0"


async def test_handlers_run_after_the_client_knows_and_may_publish(app: App, serve: Serve, peers: Open) -> None:
    tiles = app.topic("test.tile")

    @tiles.on_subscribe
    async def render(subscription: Subscription) -> None:
        tiles.publish("state", to=subscription.client_id)

    @tiles.on_subscribe
    def broken(subscription: Subscription) -> None:
        raise ValueError("a publisher's mistake")

    url = await serve(app)
    first, second = await peers(url, hello=FEATURES), await peers(url, hello=FEATURES)
    for peer in (first, second):
        assert "result" in await peer.subscribe(1, "test.tile")
        assert (await peer.publication())["result"] == "state"
    await nothing_more(app, first)


async def test_clients_can_be_chosen_and_left_out(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    url = await serve(app)
    first, second = await peers(url, hello=RELEASED), await peers(url, hello=RELEASED)
    ids = [peer.client_id for peer in (first, second)]
    assert topic.publish("to first", to=ids[0]) == 1
    assert topic.publish("not to first", exclude=ids[0]) == 1
    assert topic.publish("to nobody", to="unknown") == 0
    assert (await first.publication())["result"] == "to first"
    assert (await second.publication())["result"] == "not to first"


async def test_a_publication_is_encoded_once_per_generation_and_not_at_all_for_nobody(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[Any] = []
    pack = V2Encoder.pack
    monkeypatch.setattr(V2Encoder, "pack", lambda self, value: packed.append(value) or pack(self, value))
    topic = app.topic("test.topic")
    url = await serve(app)
    clients = [await peers(url, generation, hello=hello) for generation in (1, 2) for hello in (RELEASED, FEATURES) * 3]
    for client in clients[1::2]:
        await client.subscribe(1, "test.topic", {"row": 1})
    packed.clear()
    assert topic.publish({"row": 1}, tags={"row": 1}) == len(clients)
    assert len([value for value in packed if value == {"row": 1}]) == 1
    for client in clients:
        assert (await client.publication())["result"] == {"row": 1}
    for client in clients[::2]:
        await client.close()
    while len(app.clients) > 6:
        await asyncio.sleep(0.01)
    packed.clear()
    assert topic.publish({"row": 2}, tags={"row": 2}) == 0
    assert packed == []


async def test_wants_tells_what_need_not_be_computed(app: App, serve: Serve, peers: Open) -> None:
    tiles = app.topic("test.tile")
    assert not tiles.wants({"row": 1})
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(1, "test.tile", {"row": 1})
    assert tiles.wants({"row": 1})
    assert tiles.wants({"row": numpy.int64(1)})
    assert not tiles.wants({"row": 2})


class Level(enum.IntEnum):
    FINE = 3


class Name(str, enum.Enum):
    LAND = "land"


@pytest.mark.parametrize(
    ("definition", "tag", "wanted"),
    [
        (3, Level.FINE, True),
        ({"gt": 2}, Level.FINE, True),
        ([2, 3], Level.FINE, True),
        ("land", Name.LAND, True),
        ({"gte": "la"}, Name.LAND, True),
        ({"lt": 4}, numpy.int16(3), True),
        ({"lt": 4}, numpy.float64(3.5), True),
        (True, numpy.bool_(True), True),
        (1, True, False),
        (True, 1, False),
        (True, 1.0, False),
        ({"gte": 0}, True, False),
        ({"ne": 1}, True, True),
        ("1", 1, False),
        ({"lt": "2"}, 1, False),
    ],
)
async def test_tags_of_every_type_compare_by_kind(
    definition: Any, tag: Any, wanted: bool, app: App, serve: Serve, peers: Open
) -> None:
    topic = app.topic("a")
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(1, "a", {"tag": definition})
    assert topic.wants({"tag": tag}) is wanted


async def test_a_topic_keeps_nothing_of_clients_that_have_gone(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("a")
    peer = await peers(await serve(app), hello=FEATURES)
    await peer.subscribe(1, "a")
    topic.publish(1)
    session = weakref.ref(topic.subscriptions[0].session)
    await peer.close()
    while app.clients:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    gc.collect()
    assert session() is None


async def test_what_cannot_be_sent_is_the_publishers_error(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=RELEASED)
    with pytest.raises(NotSerializable, match="object"):
        topic.publish(object())
    with pytest.raises(ValueError, match="tag 'row'"):
        topic.publish(1, tags={"row": [1]})  # type: ignore[dict-item]
    topic.publish("fine")
    assert (await peer.publication())["result"] == "fine"


async def test_a_payload_may_change_once_it_is_published(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    state, pixels = {"n": 1}, numpy.zeros(100_000, numpy.uint8)
    peer = await peers(await serve(app), hello=RELEASED)

    @app.method("test.publish")
    def publish() -> None:
        topic.publish({"state": state, "pixels": pixels})
        state["n"] = 2
        pixels[:] = 1

    await peer.call("test.publish")
    assert (await peer.publication())["result"] == {"state": {"n": 1}, "pixels": bytes(100_000)}


def test_a_bad_topic_is_refused(app: App) -> None:
    with pytest.raises(ValueError, match="topic name 'a b'"):
        app.topic("a b")
    with pytest.raises(ValueError, match="reliable, latest"):
        app.topic("a.b", delivery="sometimes")  # type: ignore[arg-type]
    assert app.topic("a.b") is app.topic("a.b")
    with pytest.raises(ValueError, match="exists with delivery 'reliable'"):
        app.topic("a.b", delivery="latest")
