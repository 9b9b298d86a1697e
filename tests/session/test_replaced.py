"""A newer publication that is for other subscriptions of its client than the one that it replaces (SUB-13, FLOW-6)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink.hub.hub import Hub
from wslink.session.identity import Identity
from wslink.session.send_queue import behind
from wslink.wire.limits import Limits


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub("app", lambda credentials: Identity(), Limits())
    hub.start()
    hub.subscriptions.topic("t.view", "latest")
    yield hub
    await hub.stop(0.1)


def watch(hub: Hub) -> Line:
    """A client with a window of one for row 1, and another subscription, without a window, for everything."""
    line = Line(hub)
    line.hello("subscribe", "flow")
    line.system("wslink.subscribe", {"subscription": 1, "topic": "t.view", "filter": {"row": 1}, "window": 1})
    line.system("wslink.subscribe", {"subscription": 2, "topic": "t.*"})
    line.take()
    return line


def results(line: Line) -> list[Any]:
    return [(one["result"], one["subscriptions"]) for _, one in line.take() if "subscriptions" in one]


def acknowledge(line: Line) -> None:
    line.give([1, line.counted, 0])


async def test_one_without_a_window_does_not_wait_for_that_of_the_one_before(hub: Hub) -> None:
    line, topic = watch(hub), hub.subscriptions.topics["t.view"]
    topic.publish("first", {"row": 1}, key="k")
    topic.publish("waits", {"row": 1}, key="k")
    assert results(line) == [("first", [1, 2])]
    topic.publish("free", {"row": 2}, key="k")
    assert results(line) == [("free", [2])]
    assert (line.session.queue.waiting, line.session.queue.gated) == (0, 0)
    line.give([2, 1, 1, 0])
    window = line.session.flow.windows[1]  # type: ignore[union-attr]
    assert (window.count, window.settled, window.open) == (1, 1, True)


async def test_one_with_a_window_waits_for_it_in_the_place_of_one_without(hub: Hub) -> None:
    line, topic = watch(hub), hub.subscriptions.topics["t.view"]
    topic.publish("first", {"row": 1}, key="other")
    line.writable = False
    topic.publish("old", {"row": 2}, key="k")
    topic.publish("behind", {"row": 2}, key="l")
    topic.publish("new", {"row": 1}, key="k")
    line.writable = True
    line.session.resume()
    acknowledge(line)
    assert results(line) == [("first", [1, 2]), ("behind", [2])]
    assert behind(line.session.queue) == 0
    line.give([2, 1, 1, 0])
    assert results(line) == [("new", [1, 2])]
    window = line.session.flow.windows[1]  # type: ignore[union-attr]
    assert (window.count, line.session.queue.waiting, line.session.queue.gated) == (2, 0, 0)
