"""Subscriptions of the Python client, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from tests.lines import Line
from tests.waiting import until
from wslink import App, CallError, ConnectionClosed, UsageError
from wslink.client.link import KEEP_ALIVE
from wslink.errors import SubscriptionOverflow


async def test_subscriptions_with_filters(app: App, serve: Serve) -> None:
    tiles = app.topic("test.tile")
    async with wslink.connect(await serve(app), secret="secret") as link:
        async with link.subscribe("test.tile", filter={"row": [3, 4]}) as subscription:
            for row in range(10):
                tiles.publish({"row": row}, tags={"row": row})
            assert [await anext(subscription) for _ in range(2)] == [{"row": 3}, {"row": 4}]
            await subscription.update({"row": 7})
            assert [tiles.publish({"row": row}, tags={"row": row}) for row in (3, 7)] == [0, 1]
            assert await anext(subscription) == {"row": 7}
        assert tiles.subscriptions == ()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)


async def test_a_refused_subscription_says_why(app: App, serve: Serve) -> None:
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError, match="there is no topic 'test.tile'"):
            await link.subscribe("test.tile").ready
        with pytest.raises(CallError, match="there is no topic"):
            await anext(link.subscribe("test.tile"))
        with pytest.raises(UsageError):
            link.subscribe("test.tile", buffer=0)


async def test_iteration_ends_with_the_connection(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    url = await serve(app)
    line = await Line.to(url)
    link = await wslink.connect(url, secret="secret")
    closing, lost = link.subscribe("test.topic"), await wslink.connect(line.url, secret="secret", reconnect=False)
    losing = lost.subscribe("test.topic")
    await asyncio.gather(closing.ready, losing.ready)
    await link.close()
    assert [item async for item in closing] == []
    topic.publish("last")
    line.cut()
    with pytest.raises(ConnectionClosed):
        while True:
            await anext(losing)
    await lost.close()
    await line.close()


async def test_a_slow_subscriber_of_a_latest_topic_skips_to_the_newest(app: App, serve: Serve) -> None:
    frames = app.topic("test.frame", delivery="latest")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.frame", buffer=2)
        await subscription.ready
        for n in range(200):
            frames.publish({"n": n, "pixels": bytes(1_000_000)})
            await asyncio.sleep(0)
        seen = [(await anext(subscription))["n"]]
        while seen[-1] < 199:
            seen.append((await anext(subscription))["n"])
        assert seen == sorted(seen)
        assert len(seen) < 100


async def test_a_call_is_answered_past_a_subscriber_that_takes_nothing(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=2)
        await subscription.ready
        for n in range(4):
            topic.publish(n)
        await until(lambda: subscription.full)
        await asyncio.sleep(0)
        assert await asyncio.wait_for(link.call("test.one"), 0.5) == 1


async def test_a_slow_subscriber_is_not_taken_for_dead(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app, heart_beat=1), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=1)
        await subscription.ready
        for n in range(5):
            topic.publish(n)
        await asyncio.sleep(3.5)
        assert list(app.clients) == [link.client_id]

        async def take() -> list[int]:
            return [await anext(subscription) for _ in range(5)]

        assert await asyncio.wait_for(take(), KEEP_ALIVE) == list(range(5))  # taking one makes the link read on at once


async def test_a_call_inside_an_iteration_is_answered_past_what_waits(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=2)
        await subscription.ready
        for n in range(10):
            topic.publish(n)
        async for n in subscription:
            assert await link.call("test.one") == 1
            if n == 9:
                break


async def test_a_subscription_far_over_its_buffer_ends_with_an_error(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=1)
        await subscription.ready
        waiting = asyncio.create_task(link.call("test.wait"))
        await asyncio.sleep(0)
        for n in range(9):
            topic.publish(n)
        await until(lambda: topic.subscriptions == ())
        gate.set()
        assert await waiting is True
        with pytest.raises(SubscriptionOverflow):
            while True:
                await anext(subscription)


async def test_a_wait_that_is_given_up_leaves_the_subscription_usable(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic")
        for wait in (anext(subscription), subscription.__aenter__()):
            task = asyncio.ensure_future(wait)
            asyncio.get_running_loop().call_soon(task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task
        subscription.ready.cancel()
        await until(lambda: len(topic.subscriptions) == 1)
        topic.publish("news")
        assert await asyncio.wait_for(anext(subscription), 5) == "news"


async def test_an_iteration_that_has_not_begun_stops_with_its_subscription(app: App, serve: Serve) -> None:
    app.topic("test.topic")
    link = await wslink.connect(await serve(app), secret="secret")

    async def collect(subscription: wslink.ClientSubscription) -> list[Any]:
        return [item async for item in subscription]

    cancelled, closed = link.subscribe("test.topic"), link.subscribe("test.topic")
    iterations = [asyncio.create_task(collect(subscription)) for subscription in (cancelled, closed)]
    await asyncio.sleep(0)
    await cancelled.cancel()
    await link.close()
    assert await asyncio.wait_for(asyncio.gather(*iterations), 5) == [[], []]


async def test_waiting_for_a_subscription_ends_with_the_link(app: App, serve: Serve) -> None:
    app.topic("test.topic")
    link = await wslink.connect(await serve(app), secret="secret")
    subscription = link.subscribe("test.topic")
    closing = asyncio.create_task(link.close())
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(asyncio.shield(subscription.ready), 5)
    await closing


@pytest.mark.parametrize(("filter", "error"), [({"row": object()}, wslink.NotSerializable), (7, UsageError)])
async def test_a_filter_that_cannot_be_sent_is_the_callers_error(
    app: App, serve: Serve, filter: Any, error: type[Exception]
) -> None:
    app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(error):
            await asyncio.wait_for(link.subscribe("test.topic", filter=filter).ready, 5)


async def test_a_subscription_that_has_ended_cannot_be_updated(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic")
        await subscription.ready
        await subscription.cancel()
        with pytest.raises(UsageError, match="has ended"):
            await subscription.update({"row": 1})
        assert topic.subscriptions == ()
