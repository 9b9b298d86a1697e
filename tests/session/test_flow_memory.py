"""What flow control keeps of subscriptions and clients that have ended."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from tests.conftest import Open, Serve
from wslink import App
from wslink.session.window import DeliveryWindow

SLOWEST = {"subscription": 1, "topic": "test.kept", "max_rate": 0.001}


def windows() -> int:
    gc.collect()
    return sum(isinstance(one, DeliveryWindow) for one in gc.get_objects())


@pytest.mark.parametrize("end", ["unsubscribe", "leave"])
async def test_nothing_is_kept_for_as_long_as_a_window_would_rest(
    app: App, serve: Serve, peers: Open, end: str
) -> None:
    """A client that chooses a rate of 0.001 publications per second closes its window for 1,000 s."""
    app.topic("test.kept", delivery="latest", retain=True).publish(1)
    left = asyncio.Event()
    app.on_disconnect(lambda client: left.set())
    peer = await peers(await serve(app), hello={"features": ["subscribe", "flow"]})
    before = windows()
    await peer.system("wslink.subscribe", SLOWEST)
    await peer.publication()
    assert windows() == before + 1
    if end == "unsubscribe":
        await peer.system("wslink.unsubscribe", {"subscription": 1})
    else:
        await peer.close()
        await asyncio.wait_for(left.wait(), 10)
    assert windows() == before


async def test_a_window_opens_again_after_its_rest(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.kept", delivery="latest")
    peer = await peers(await serve(app), hello={"features": ["subscribe", "flow"]})
    for subscription in (1, 2):
        await peer.system("wslink.subscribe", {**SLOWEST, "subscription": subscription, "max_rate": 20})
    await peer.system("wslink.unsubscribe", {"subscription": 2})
    for number in range(3):
        topic.publish(number)
        assert (await asyncio.wait_for(peer.publication(), 10))["result"] == number


async def test_publications_that_wait_for_many_windows_cost_hardly_more_than_they_count(
    app: App, serve: Serve, peers: Open
) -> None:
    """LIM-6."""
    topic = app.topic("test.kept", delivery="latest")
    peer = await peers(await serve(app), hello={"features": ["subscribe", "flow"]})
    for number in range(1, 501):
        await peer.system("wslink.subscribe", {"subscription": number, "topic": "test.kept", "window": 1})
    topic.publish(0)
    await peer.publication()
    assert topic.waiting == 0
    tracemalloc.start()
    try:
        for number in range(500):
            topic.publish(number, key=number)
        await asyncio.sleep(0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert topic.waiting > 500_000
    assert held < 1.5 * topic.waiting
