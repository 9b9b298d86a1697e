"""Rendering on demand for clients that are driven by hand: who is called, at what quality, and what errors say."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.session.driven import Line
from wslink import UsageError
from wslink.hub import on_demand
from wslink.hub.hub import Hub
from wslink.session.identity import Identity
from wslink.wire.limits import Limits

STILL_AFTER = 0.2


@pytest.fixture(autouse=True)
def never_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no view comes to rest unless a test is about that."""
    monkeypatch.setattr(on_demand, "STILL_AFTER", 60)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub("app", lambda credentials: Identity(), Limits())
    hub.start()
    yield hub
    await hub.stop(0.1)


def watch(hub: Hub, number: int = 1, *features: str, **more: Any) -> Line:
    line = Line(hub)
    line.hello("subscribe", *features)
    line.system("wslink.subscribe", {"subscription": number, "topic": "t.view", **more})
    line.take()
    return line


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_those_who_share_have_the_same_step_of_quality(hub: Hub) -> None:
    topic, seen = hub.subscriptions.topic("t.view", "latest"), list[float]()

    @topic.on_demand(share=True)
    def render(viewer: Any) -> str:
        seen.append(round(viewer.quality, 6))
        viewer.again()  # has no effect
        viewer.memory["x"] = 1
        return f"at {viewer.quality:.2f}"

    lines = [watch(hub, n, "flow") for n in range(1, 8)]
    await turns()
    assert seen == [1.0]
    chosen = [1.0, 0.99, 0.95, 0.9, 0.31, 0.3, 0.04]
    for subscription, quality in zip(topic.subscriptions, chosen, strict=True):
        assert subscription.flow is not None
        subscription.flow.controller.quality = quality
    for line in lines:
        line.take()
    topic.changed()
    await turns()
    assert seen[1:] == [1.0, 0.9, 0.3, 0.04]
    assert [[one["result"] for _, one in line.take()] for line in lines] == [
        [f"at {quality:.2f}"] for quality in (1.0, 0.9, 0.9, 0.9, 0.3, 0.3, 0.04)
    ]


async def test_it_is_called_again_until_it_is_done_and_once_more_at_rest(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_demand, "STILL_AFTER", STILL_AFTER)
    topic, seen = hub.subscriptions.topic("t.view", "latest"), list[Any]()

    @topic.on_demand
    def render(viewer: Any) -> Any:
        count = viewer.memory["count"] = viewer.memory.get("count", 0) + 1
        seen.append((count, viewer.still, viewer.quality, viewer.filter, viewer.client_id, viewer.window))
        if count < 3:
            viewer.again(2)
        return None if count == 2 else count

    line = watch(hub, 1, filter={"row": 1})
    await turns(12)
    id_ = line.session.client_id
    assert seen == [(n, False, 1.0, {"row": 1}, id_, 0) for n in (1, 2, 3)]
    assert [one["result"] for _, one in line.take()] == [1, 3]
    await asyncio.sleep(STILL_AFTER + 0.05)
    assert seen[3:] == [(4, True, 1.0, {"row": 1}, id_, 0)]
    topic.changed({"row": 2})
    await turns()
    assert len(seen) == 4
    topic.changed({"row": 1})
    await turns()
    assert seen[4][:2] == (5, False)
    line.system("wslink.unsubscribe", {"subscription": 1})
    topic.changed()
    await asyncio.sleep(STILL_AFTER + 0.05)
    assert len(seen) == 5


async def test_nothing_is_rendered_while_the_last_one_waits(hub: Hub) -> None:
    topic, seen = hub.subscriptions.topic("t.view", "latest"), list[int]()

    @topic.on_demand
    def render(viewer: Any) -> int:
        seen.append(len(seen))
        return len(seen)

    line = watch(hub)
    await turns()
    line.writable = False
    topic.changed()
    await turns()
    assert seen == [0, 1]
    for _ in range(3):
        topic.changed()
        await turns()
    assert seen == [0, 1]
    line.writable = True
    line.session.resume()
    await turns()
    assert seen == [0, 1, 2]
    assert [one["result"] for _, one in line.take()] == [1, 2, 3]


async def test_what_fails_is_logged(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    topic, outcomes = hub.subscriptions.topic("t.view", "latest"), [ValueError("no"), object(), "later", "fine"]

    def render(viewer: Any) -> Any:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return later() if outcome == "later" else outcome

    async def later() -> str:
        raise ValueError("later")

    topic.on_demand(render)
    line = watch(hub)
    for _ in range(3):
        await turns()
        topic.changed()
    await turns()
    assert [(one.levelno, one.getMessage()) for one in caplog.records] == [
        (logging.ERROR, f"topic t.view: {render!r} raised"),
        (
            logging.ERROR,
            f"topic t.view: what {render!r} returned cannot be sent: a value of type object cannot be sent; make it a "
            "dataclass, or send a dict, a list, a number or text in its place",
        ),
        (logging.ERROR, f"topic t.view: {render!r} raised"),
    ]
    assert [one["result"] for _, one in line.take()] == ["fine"]


async def test_a_topic_is_rendered_by_one_function(hub: Hub) -> None:
    topic = hub.subscriptions.topic("t.view", "latest")

    def first(viewer: Any) -> None:
        with pytest.raises(UsageError) as caught:
            viewer.again(0)
        assert str(caught.value) == "a picture has at least 1 part, not 0"

    topic.on_demand(first)
    with pytest.raises(UsageError) as caught:
        topic.on_demand(lambda viewer: None)
    assert str(caught.value) == f"topic 't.view' is rendered on demand already, by {first!r}"
    watch(hub)
    await turns()


async def test_a_frame_of_a_view_at_rest_says_nothing_of_the_quality(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_demand, "STILL_AFTER", STILL_AFTER)
    topic, seen = hub.subscriptions.topic("t.view", "latest"), list[bool]()

    @topic.on_demand
    def render(viewer: Any) -> str:
        seen.append(viewer.still)
        viewer.parts = 3
        return "x" * 100

    line = watch(hub, 1, "flow")
    await turns()
    [subscription] = topic.subscriptions
    assert subscription.flow is not None
    controller = subscription.flow.controller
    for n, still in ((1, False), (2, True)):
        controller.load = -1.0
        line.give([1, line.counted, 0])
        line.give([2, 1, n, 0])
        assert (seen[-1], controller.load == -1.0) == (still, still)
        assert subscription.lag >= subscription.rtt > 0
        for _ in range(50):
            if len(seen) > n or still:
                break
            await asyncio.sleep(0.02)
