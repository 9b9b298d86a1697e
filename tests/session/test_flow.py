"""Clients that acknowledge: what is sent to them, and when (FLOW)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App

FEATURES = {"features": ["subscribe", "flow"]}
MIB = 1024 * 1024


async def connect(app: App, serve: Serve, peers: Open, **options: Any) -> Peer:
    return await peers(await serve(app), hello=FEATURES, **options)


async def collect(peer: Peer, seconds: float = 0.2) -> list[Any]:
    """The results of the messages that come until nothing does for a while."""
    found = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            found.append((await asyncio.wait_for(peer._next(), seconds)).get("result"))
    return found


async def test_a_client_that_acknowledges_nothing_is_sent_a_first_window(app: App, serve: Serve, peers: Open) -> None:
    """FLOW-4."""
    app.method("test.big")(lambda: bytes(MIB))
    peer = await connect(app, serve, peers)
    await peer.start("test.big")
    await collect(peer)
    assert 64 * 1024 <= peer.counted <= 96 * 1024
    while peer.counted < MIB:
        await peer.extension(1, peer.counted, 0)
        await collect(peer, 0.05)


async def test_acknowledgements_let_a_large_result_through(app: App, serve: Serve, peers: Open) -> None:
    app.method("test.big")(lambda: bytes(32 * MIB))
    peer = await connect(app, serve, peers)
    peer.acknowledges = True
    assert len((await peer.call("test.big"))["result"]) == 32 * MIB


async def test_a_small_call_passes_a_large_result(app: App, serve: Serve, peers: Open) -> None:
    """LANE-2."""
    app.method("test.big")(lambda: bytes(4 * MIB))
    app.method("test.small")(lambda: "small")
    peer = await connect(app, serve, peers)
    large = await peer.start("test.big")
    await collect(peer)
    small = await peer.start("test.small")
    await peer.extension(1, peer.counted, 0)
    peer.acknowledges = True
    assert (await peer.receive())["id"] == small
    assert (await peer.receive())["id"] == large


async def test_a_client_that_is_not_read_from_needs_no_acknowledgements(app: App, serve: Serve, peers: Open) -> None:
    """FLOW-4, TURN-2: they could not arrive before what waits for the client has gone."""
    app.method("test.big")(lambda: bytes(24 * MIB))
    app.method("test.size")(lambda data: len(data))
    peer = await connect(app, serve, peers)
    large = await peer.start("test.big")
    await collect(peer, 0.1)
    calls = [await peer.start("test.size", bytes(60_000)) for _ in range(10)]
    peer.acknowledges = True
    await peer.extension(1, peer.counted, 0)
    answered = {(await asyncio.wait_for(peer.receive(), 5))["id"] for _ in range(11)}
    assert answered == {large, *calls}


@pytest.mark.parametrize("kind", ["topic", "method"])
async def test_an_application_says_what_goes_first(app: App, serve: Serve, peers: Open, kind: str) -> None:
    """LANE-2: the urgent one passes, although it is large and was made last."""
    app.method("test.large")(lambda: bytes(4 * MIB))
    app.method("test.urgent", priority="urgent")(lambda: bytes(MIB))
    app.method("test.lazy", priority="bulk")(lambda: "lazy")
    alarm = app.topic("test.alarm", priority="urgent")
    peer = await connect(app, serve, peers)
    await peer.subscribe(1, "test.alarm")
    large = await peer.start("test.large")
    lazy = await peer.start("test.lazy")
    await collect(peer)
    if kind == "topic":
        alarm.publish(bytes(MIB))
    else:
        await peer.start("test.urgent")
    await collect(peer)
    await peer.extension(1, peer.counted, 0)
    peer.acknowledges = True
    first = await peer.receive()
    assert len(first["result"]) == MIB
    assert {(await peer.receive())["id"] for _ in range(2)} == {large, lazy}


async def test_the_server_acknowledges_what_it_receives(app: App, serve: Serve, peers: Open) -> None:
    """FLOW-1, FLOW-2, FLOW-3."""
    app.method("test.size")(lambda data: len(data))
    peer = await connect(app, serve, peers)
    assert (await peer.call("test.size", bytes(300_000)))["result"] == 300_000
    await collect(peer, 0.1)
    kinds = {message[0] for message in peer.extensions}
    totals = [message[1] for message in peer.extensions]
    assert kinds == {1}
    assert totals == sorted(totals)
    assert 300_000 < totals[-1] < 300_200
    before = totals[-1]
    for _ in range(3):
        await peer.extension(1, peer.counted, 0)  # is not counted
    await collect(peer, 0.1)
    assert peer.extensions[-1][1] == before


async def test_what_the_page_has_not_dealt_with_holds_up_later_publications(
    app: App, serve: Serve, peers: Open
) -> None:
    """FLOW-5, FLOW-6: two are sent, then only the newest waits."""
    frames = app.topic("test.frame", delivery="latest")
    peer = await connect(app, serve, peers)
    peer.acknowledges = True
    await peer.system("wslink.subscribe", {"subscription": 7, "topic": "test.frame", "window": 2})
    for number in range(20):
        frames.publish(number)
    assert await collect(peer) == [0, 1]
    await peer.extension(2, 7, 2, 5)
    assert await collect(peer) == [19]
    [subscription] = frames.subscriptions
    assert subscription.dropped == 17
    assert subscription.lag >= subscription.rtt > 0


async def test_a_hanging_callback_holds_up_its_own_subscription_alone(app: App, serve: Serve, peers: Open) -> None:
    """FLOW-7."""
    topics = [app.topic(name, delivery="latest") for name in ("test.a", "test.b")]
    app.method("test.echo")(lambda value: value)
    peer = await connect(app, serve, peers)
    peer.acknowledges = True
    for number, topic in enumerate(topics):
        await peer.subscribe(number + 1, topic.name)
    for number in range(6):
        topics[0].publish(f"a{number}", key=number)
    for number in range(6):
        topics[1].publish(f"b{number}", key=number)
        await peer.extension(2, 2, number, 1)
        await asyncio.sleep(0.01)
    await peer.start("test.echo", "echo")
    assert sorted(await collect(peer)) == ["a0", "a1", "a2", "a3", *(f"b{number}" for number in range(6)), "echo"]
    await peer.extension(2, 1, 4, 1)
    assert (await collect(peer))[0] == "a4"


async def test_a_subscriber_chooses_its_window_and_rate(app: App, serve: Serve, peers: Open) -> None:
    """FLOW-6."""
    frames = app.topic("test.frame", delivery="latest")
    peer = await connect(app, serve, peers)
    peer.acknowledges = True
    await peer.system("wslink.subscribe", {"subscription": 1, "topic": "test.frame", "window": 3})
    for number in range(10):
        frames.publish(number)
    assert await collect(peer) == [0, 1, 2]
    await peer.system("wslink.unsubscribe", {"subscription": 1})
    await peer.system("wslink.subscribe", {"subscription": 2, "topic": "test.frame", "window": 1000, "max_rate": 10})
    await collect(peer)
    begun, seen = time.monotonic(), 0
    while time.monotonic() - begun < 1:
        frames.publish("x")
        seen += len(await collect(peer, 0.01))
    assert 8 <= seen <= 11


async def test_what_waits_for_a_window_does_not_come_after_the_end_of_its_subscription(
    app: App, serve: Serve, peers: Open
) -> None:
    """SUB-5; and SUB-4, without waiting for a page that may wait for the result."""
    topic = app.topic("test.frame", delivery="latest")
    peer = await connect(app, serve, peers)
    peer.acknowledges = True
    for number in (1, 2):
        await peer.subscribe(number, "test.frame", {"row": number})
    for value in range(12):
        topic.publish(value, tags={"row": 1 + value % 2}, key=value)
    assert await collect(peer) == [*range(8)]
    assert (await peer.system("wslink.unsubscribe", {"subscription": 1}))["result"] is None
    assert (await peer.subscribe(2, "test.frame", {"row": 99}))["result"] == {"delivery": "latest"}
    await peer.extension(2, 2, 4, 1)
    assert await collect(peer) == []
    topic.publish("news", tags={"row": 99})
    assert await collect(peer) == ["news"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("window", 0), ("window", 1025), ("window", "2"), ("max_rate", 0), ("max_rate", True), ("max_rate", float("nan"))],
)
async def test_a_window_or_rate_that_is_not_allowed_is_refused(
    app: App, serve: Serve, peers: Open, name: str, value: Any
) -> None:
    app.topic("test.frame")
    peer = await connect(app, serve, peers)
    answer = await peer.system("wslink.subscribe", {"subscription": 1, "topic": "test.frame", name: value})
    assert answer["error"]["code"] == -32602
    assert name in answer["error"]["message"]


@pytest.mark.parametrize(
    "items", [(), (1,), (1, -1, 0), (1, "5", 0), (2, 1), (2, 1, None, 0), (99, 1), ("x",), (True,)]
)
async def test_messages_of_extensions_that_are_malformed_are_answered(
    app: App, serve: Serve, peers: Open, items: tuple[Any, ...]
) -> None:
    """EXT-4."""
    app.method("test.echo")(lambda value: value)
    peer = await connect(app, serve, peers)
    await peer.extension(*items)
    answer = await peer.receive()
    assert (answer["id"], answer["error"]["code"]) == ("system:malformed:0", -32600)
    assert (await peer.call("test.echo", 5))["result"] == 5


@pytest.mark.parametrize("total", [-1, 10**9, 2**63])
async def test_an_acknowledgement_of_more_than_was_sent_changes_nothing(
    app: App, serve: Serve, peers: Open, total: int
) -> None:
    """FLOW-2."""
    app.method("test.big")(lambda: bytes(MIB))
    peer = await connect(app, serve, peers)
    await peer.start("test.big")
    await collect(peer, 0.1)
    await peer.extension(1, abs(total), 0)
    await collect(peer, 0.1)
    assert peer.counted <= 96 * 1024


async def test_clients_of_version_1_are_not_offered_it(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), 1)
    assert (await peer.hello(**FEATURES))["result"]["features"] == ["subscribe"]
