"""What the Python client acknowledges (FLOW)."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import wslink
from tests.client.scripted import MIB, Connected, start
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, UsageError

VECTORS = Path(__file__).parents[1] / "vectors"


async def test_the_client_says_hello_as_the_vectors_have_it(connected: Connected) -> None:
    """EXT-1, HELLO-7."""
    _, server = await connected(reconnect=False)
    cases = json.loads((VECTORS / "hello.json").read_text())["cases"]
    requests = [case["request"] for case in cases if case.get("ours")]
    expected = next(request for request in requests if "secret" not in request["args"][0])
    sent, token = dict(server.hello), server.hello["args"][0]
    known = expected["args"][0]["features"]
    assert (sent.pop("args"), sent.pop("kwargs")) == ([token], {})
    assert sent == {key: value for key, value in expected.items() if key != "args"}
    assert token == {
        "features": [name for name in known if name in token["features"]],
        "client": {"name": "wslink-python", "version": wslink.__version__},
    }
    assert {"subscribe", "arrays", "flow"} <= set(token["features"])


# What it acknowledges


async def test_the_client_acknowledges_what_came_after_hellos_response(connected: Connected) -> None:
    """FLOW-1, FLOW-2."""
    link, server = await connected()
    assert "flow" in link.features
    call = start(link, "a.method")
    await server.answer("a.method", "x" * 1000)
    assert await call == "x" * 1000
    await until(lambda: bool(server.said(1)))
    [[_, total, held]] = server.said(1)
    assert 1000 < total < 1100
    assert held < 50
    for _ in range(3):
        await server.send([1, server.counted, 0])  # is not counted
    await asyncio.sleep(0.06)
    assert [message[1] for message in server.said(1)] == [total]
    await server.socket.send_bytes(b"\x00" * 20)  # is, though it cannot be read
    await until(lambda: server.said(1)[-1][1] == total + 20)


async def test_many_small_frames_are_acknowledged_together(connected: Connected) -> None:
    """FLOW-3."""
    link, server = await connected()
    for _ in range(1000):
        await server.publish("x", 9)
    call = start(link, "a.method")
    await server.answer("a.method", 1)
    await call
    await asyncio.sleep(0.06)
    assert 1 <= len(server.said(1)) < 200


async def test_a_server_without_flow_is_sent_no_acknowledgements(connected: Connected) -> None:
    link, server = await connected(["subscribe"])
    async with link.subscribe("a.topic", window=1) as subscription:
        await server.publish("x", 1)
        assert await anext(subscription) == "x"
        call = start(link, "a.large", bytes(MIB))
        await server.answer("a.large", 5)
        assert await call == 5
        await asyncio.sleep(0.06)
        server.acknowledges = True
        await asyncio.gather(start(link, "b.large", bytes(MIB)), server.answer("b.large", 6))
        assert server.extensions == []
        unsubscribing = subscription.cancel()
        await server.answer("wslink.unsubscribe", None)
        await unsubscribing


# What subscribers have dealt with


async def test_a_publication_is_settled_when_its_subscriber_comes_back(connected: Connected) -> None:
    """FLOW-5."""
    link, server = await connected()
    subscription = link.subscribe("a.topic", window=2, max_rate=20)
    await subscription.ready
    for n in range(3):
        await server.publish(n, 1)
    assert [await anext(subscription), await anext(subscription)] == [0, 1]
    await until(lambda: server.said(2) != [])
    await asyncio.sleep(0.06)
    assert [message[:3] for message in server.said(2)] == [[2, 1, 1]]
    assert await anext(subscription) == 2
    await until(lambda: len(server.said(2)) == 2)
    _, _, count, duration = server.said(2)[1]
    assert count == 2
    assert 40 < duration < 2000


async def test_what_waits_for_a_subscription_that_is_cancelled_is_settled_at_once(connected: Connected) -> None:
    """FLOW-5."""
    link, server = await connected()
    subscription = link.subscribe("a.topic")
    await subscription.ready
    for n in range(5):
        await server.publish(n, 1)
    assert await anext(subscription) == 0
    await asyncio.sleep(0.05)
    unsubscribing = subscription.cancel()
    await until(lambda: [message[:3] for message in server.said(2)] == [[2, 1, 5]])
    await server.answer("wslink.unsubscribe", None)
    await unsubscribing


async def test_a_slow_subscriber_of_a_latest_topic_has_little_that_is_old(app: App, serve: Serve) -> None:
    """FLOW-6, FLOW-7: two are on their way, then only the newest waits; a call and another topic pass."""
    frames, others = app.topic("test.frame", delivery="latest"), app.topic("test.other", delivery="latest")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription, other = link.subscribe("test.frame", window=2), link.subscribe("test.other")
        await asyncio.gather(subscription.ready, other.ready)
        for n in range(20):
            frames.publish(n)
            await asyncio.sleep(0)
        assert await link.call("test.one") == 1
        for n in range(10):
            others.publish(n)
            assert await asyncio.wait_for(anext(other), 5) == n
        assert [await asyncio.wait_for(anext(subscription), 5) for _ in range(3)] == [0, 1, 19]
        await subscription.update({})
        [served] = frames.subscriptions
        assert served.dropped == 17


async def test_a_subscriber_chooses_its_rate(app: App, serve: Serve) -> None:
    """FLOW-6."""
    frames = app.topic("test.frame", delivery="latest")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.frame", max_rate=20)
        await subscription.ready

        async def publish() -> None:
            for n in range(200):
                frames.publish(n)
                await asyncio.sleep(0.005)

        publishing, seen = asyncio.create_task(publish()), 0
        while await anext(subscription) != 199:
            seen += 1
        await publishing
        assert seen <= 30
        for options in (
            {"window": 0}, {"window": 1025}, {"window": True}, {"window": 2.5}, {"max_rate": 0}, {"max_rate": True},
            {"max_rate": float("nan")}, {"buffer": 0}, {"buffer": True}, {"buffer": "3"},
        ):  # fmt: skip
            with pytest.raises(UsageError, match=next(iter(options))):
                link.subscribe("test.frame", **options)  # type: ignore[arg-type]
