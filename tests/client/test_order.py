"""The order of what a Python link sends: that in which its user asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

import wslink
from tests.client.test_hostile_server import WELCOME, serving
from tests.conftest import Serve
from wslink import App, ConnectionClosed, Link, Reconnect


@pytest.fixture(params=["socket", "inside"])
async def link(request: pytest.FixtureRequest, app: App, serve: Serve) -> AsyncIterator[Link]:
    """A link to an application with `count.next`, which publishes to `count.numbers`, and `count.subscribers`."""
    numbers = app.topic("count.numbers")

    @app.method("count.next")
    def next_(number: int) -> None:
        numbers.publish(number)

    @app.method("count.subscribers")
    def subscribers() -> int:
        return len(numbers.subscriptions)

    connecting = app.connect() if request.param == "inside" else wslink.connect(await serve(app), secret="secret")
    async with connecting as link:
        yield link


async def test_a_call_does_not_overtake_the_subscription_made_before_it(link: Link) -> None:
    subscription = link.subscribe("count.numbers")
    await link.call("count.next", 1)
    assert await asyncio.wait_for(anext(subscription), 5) == 1
    others = [link.subscribe("count.numbers") for _ in range(3)]
    assert await link.call("count.subscribers") == 4
    await link.call("count.next", 2)
    assert [await asyncio.wait_for(anext(each), 5) for each in (subscription, *others)] == [2] * 4


async def test_a_call_does_not_overtake_the_end_of_a_subscription(link: Link) -> None:
    subscription = link.subscribe("count.numbers")
    await subscription.ready
    subscription.cancel()
    assert await link.call("count.subscribers") == 0
    link.subscribe("count.numbers").cancel()
    assert await link.call("count.subscribers") == 0


async def test_large_calls_keep_their_place_before_a_subscription(link: Link) -> None:
    """A subscription is small, and passes what is large as calls do: it is not lost among them."""
    large = asyncio.create_task(link.call("count.next", bytes(3_000_000)))
    await asyncio.sleep(0)
    subscription = link.subscribe("count.numbers")
    assert await link.call("count.subscribers") == 1
    with pytest.raises(wslink.CallError):
        await large
    subscription.cancel()


async def test_a_server_that_knows_nothing_of_before_is_asked_once_for_each_subscription() -> None:
    sockets: list[web.WebSocketResponse] = []

    async def count(socket: web.WebSocketResponse) -> None:
        sockets.append(socket)
        if len(sockets) == 3:
            await socket.close()  # after two subscriptions, and in place of a response

    async with serving(WELCOME, count) as url, wslink.connect(url, reconnect=Reconnect(initial=0, max=0)) as link:
        returned = asyncio.Event()
        link.on_reconnected(lambda _: returned.set())
        subscriptions = [link.subscribe("a.b"), link.subscribe("a.c")]
        await asyncio.gather(*(subscription.ready for subscription in subscriptions))
        with pytest.raises(ConnectionClosed):
            await link.call("cut")
        await asyncio.wait_for(returned.wait(), 5)
        await link.call("anything")
        assert sockets == [sockets[0]] * 3 + [sockets[-1]] * 3
