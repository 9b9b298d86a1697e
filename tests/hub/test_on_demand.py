"""Rendering on demand: who is called, when, and what reaches the client."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import itertools
import logging
import threading
import weakref
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.hub.viewing import frame, quiet, rest, viewer_of
from wslink import App, UsageError, Viewer


async def test_a_viewer_is_called_when_it_comes_when_it_rests_and_when_something_changes(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("view.frame", delivery="latest")
    numbers = itertools.count()

    @frames.on_demand
    def render(viewer: Viewer) -> dict[str, Any]:
        return {"number": next(numbers), "still": viewer.still, "quality": viewer.quality}

    peer = await viewer_of(app, serve, peers)
    assert await frame(peer, 1) == {"number": 0, "still": False, "quality": 1.0}
    assert await frame(peer, 2) == {"number": 1, "still": True, "quality": 1.0}
    assert await quiet(peer)
    frames.changed()
    assert (await frame(peer, 3))["number"] == 2
    assert (await frame(peer, 4))["still"]


@pytest.mark.parametrize("features", [["subscribe", "flow"], ["subscribe"], None])
@pytest.mark.parametrize("generation", [1, 2])
async def test_every_kind_of_client_is_rendered_for(
    app: App, serve: Serve, peers: Open, features: list[str] | None, generation: int
) -> None:
    frames = app.topic("view.frame", delivery="latest")

    @frames.on_demand
    async def render(viewer: Viewer) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"client": viewer.client_id, "still": viewer.still, "data": b"123"}

    peer = await peers(await serve(app), generation)
    await peer.hello(**({"features": features} if features is not None else {}))
    peer.acknowledges = features is not None and "flow" in features and generation == 2
    if features is not None:
        await peer.subscribe(1, "view.frame")
    for still in (False, True):
        found = await frame(peer)
        assert (found["client"], found["still"], found["data"]) == (peer.client_id, still, b"123")


async def test_nothing_is_rendered_that_the_viewer_cannot_take(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    calls: list[int] = []

    @frames.on_demand
    def render(viewer: Viewer) -> dict[str, Any]:
        calls.append(len(calls))
        return {"number": calls[-1], "still": viewer.still}

    peer = await viewer_of(app, serve, peers, window=1)
    assert (await frame(peer))["number"] == 0
    for _ in range(20):
        frames.changed()
        await asyncio.sleep(0)
    assert await quiet(peer)
    assert calls == [0]
    await peer.extension(2, 1, 1, 5)
    assert (await frame(peer))["number"] == 1


async def test_a_rate_that_the_viewer_chose_is_kept(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    frames.on_demand(lambda viewer: {"still": viewer.still})
    peer = await viewer_of(app, serve, peers, window=100, max_rate=2)
    await frame(peer)
    frames.changed()
    assert await quiet(peer, 0.2)
    assert await frame(peer) is not None


async def test_a_client_without_flow_is_rendered_for_when_it_has_taken_the_last_frame(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("view.frame", delivery="latest")
    numbers = itertools.count()
    picture = bytes(32 * 1024 * 1024)
    frames.on_demand(lambda viewer: {"number": next(numbers), "picture": picture})
    peer = await peers(await serve(app), hello={"features": ["subscribe"]})
    await peer.subscribe(1, "view.frame")
    for _ in range(50):  # the client reads nothing
        frames.changed()
        await asyncio.sleep(0.005)
    assert next(numbers) <= 2
    seen = [(await frame(peer))["number"] for _ in range(2)]
    assert seen[0] == 0


async def test_one_call_at_a_time_runs_for_a_viewer_and_a_slow_one_holds_up_no_other(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("view.frame", delivery="latest")
    running: set[str] = set()
    hanging = asyncio.Event()

    @frames.on_demand
    async def render(viewer: Viewer) -> dict[str, Any]:
        assert viewer.client_id not in running
        running.add(viewer.client_id)
        if viewer.filter:
            await hanging.wait()
        await asyncio.sleep(0.001)
        running.remove(viewer.client_id)
        return {"slow": bool(viewer.filter)}

    url = await serve(app)
    slow = await viewer_of(app, serve, peers, url=url, filter={"speed": "slow"})
    fast = await viewer_of(app, serve, peers, url=url)
    for count in range(1, 20):
        frames.changed()
        assert await frame(fast, count) == {"slow": False}
    hanging.set()
    assert await frame(slow) == {"slow": True}


async def test_a_part_that_changed_concerns_those_who_look_at_it(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    frames.on_demand(lambda viewer: {"row": viewer.filter["row"], "still": viewer.still})
    url = await serve(app)
    first, second = [await viewer_of(app, serve, peers, url=url, filter={"row": row}) for row in (1, 2)]
    count = await rest(first)
    await rest(second)
    frames.changed(tags={"row": 1})
    assert await frame(first, count + 1) == {"row": 1, "still": False}
    assert await quiet(second)
    with pytest.raises(UsageError, match="tag"):
        frames.changed(tags={"row": [1]})


async def test_another_filter_is_rendered_for_and_nothing_of_the_one_before_follows(
    app: App, serve: Serve, peers: Open
) -> None:
    """SUB-4."""
    frames = app.topic("view.frame", delivery="latest")
    begun, go = asyncio.Event(), asyncio.Event()

    @frames.on_demand
    async def render(viewer: Viewer) -> dict[str, Any]:
        row = viewer.filter["row"]
        begun.set()
        await go.wait()
        return {"row": row}

    peer = await viewer_of(app, serve, peers, filter={"row": 1})
    await asyncio.wait_for(begun.wait(), 5)
    await peer.subscribe(1, "view.frame", {"row": 2})
    go.set()
    assert await frame(peer) == {"row": 2}


async def test_a_filter_is_the_same_object_until_it_is_replaced(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")

    @frames.on_demand
    def render(viewer: Viewer) -> dict[str, Any]:
        moved = viewer.memory.get("filter") is not viewer.filter
        viewer.memory["filter"] = viewer.filter
        return {"moved": moved, "row": viewer.filter["row"]}

    peer = await viewer_of(app, serve, peers, filter={"row": 1})
    assert [(await frame(peer, number))["moved"] for number in (1, 2)] == [True, False]
    assert frames.subscriptions[0].filter is frames.subscriptions[0].filter
    await peer.subscribe(1, "view.frame", {"row": 2})
    assert await frame(peer, 3) == {"moved": True, "row": 2}


async def test_any_thread_may_say_that_something_changed(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    threads: set[int] = set()

    @frames.on_demand
    def render(viewer: Viewer) -> dict[str, Any]:
        threads.add(threading.get_ident())
        return {"still": viewer.still}

    frames.changed()  # before it is served
    peer = await viewer_of(app, serve, peers)
    count = await rest(peer)
    await asyncio.to_thread(frames.changed)
    await frame(peer, count + 1)
    assert threads == {threading.get_ident()}


async def test_what_a_function_raises_is_logged_and_stops_nothing_else(
    app: App, serve: Serve, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    frames = app.topic("view.frame", delivery="latest")
    bad = {"next": True}

    @frames.on_demand
    def render(viewer: Viewer) -> Any:
        if viewer.filter:
            raise ValueError("no picture") if bad["next"] else TypeError
        return object() if bad["next"] else {"still": viewer.still}

    url = await serve(app)
    with caplog.at_level(logging.ERROR, "wslink"):
        raising = await viewer_of(app, serve, peers, url=url, filter={"row": 1})
        other = await viewer_of(app, serve, peers, url=url)
        assert await quiet(raising, 0.3)
        assert await quiet(other, 0.3)
    assert "no picture" in caplog.text
    assert "cannot be sent" in caplog.text
    bad["next"] = False
    frames.changed()
    assert await frame(other) == {"still": False}


async def test_those_who_share_are_rendered_for_once(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    calls: list[Any] = []

    @frames.on_demand(share=True)
    async def render(viewer: Viewer) -> dict[str, Any]:
        calls.append((viewer.filter, viewer.still))
        await asyncio.sleep(0.01)
        return {"number": len(calls), "still": viewer.still}

    url = await serve(app)
    filters = [{"row": 1, "col": 2}, {"col": 2, "row": 1}, {"row": 1, "col": True}]
    several = [await peers(url, hello={"features": ["subscribe"]}) for _ in filters]  # which all get quality 1
    for peer, one in zip(several, filters, strict=True):
        await peer.subscribe(1, "view.frame", one)
        await rest(peer)
    calls.clear()
    frames.changed()
    seen = [await frame(peer) for peer in several]
    assert len([one for one in calls if not one[1]]) == 2
    assert seen[0] == seen[1]
    assert [(await frame(peer))["still"] for peer in several] == [True] * 3
    assert len(calls) == 4


async def test_what_was_shared_with_filters_that_were_replaced_is_not_kept(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    kept: weakref.WeakSet[Picture] = weakref.WeakSet()

    @frames.on_demand(share=True)
    def render(viewer: Viewer) -> Picture:
        picture = Picture(viewer.filter["row"])
        kept.add(picture)
        return picture

    peer = await peers(await serve(app), hello={"features": ["subscribe"]})
    for row in range(20):  # looks around in a scene that does not change
        await peer.subscribe(1, "view.frame", {"row": row})
        assert await frame(peer) == {"row": row}
    gc.collect()
    assert len(kept) <= 2
    assert "result" in await peer.system("wslink.unsubscribe", {"subscription": 1})
    gc.collect()
    assert not kept


@dataclasses.dataclass(eq=False)
class Picture:
    row: int


async def test_a_viewer_that_is_not_done_is_called_again(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    left: list[int] = []

    @frames.on_demand
    def render(viewer: Viewer) -> Any:
        if not left:
            return None
        part = left.pop(0)
        if left:
            viewer.again()
        return part

    peer = await viewer_of(app, serve, peers, window=100)
    assert await quiet(peer)
    left += [1, 2, 3]
    frames.changed()
    assert [await frame(peer) for _ in range(3)] == [1, 2, 3]
    assert await quiet(peer)


async def test_what_is_remembered_of_a_viewer_lasts_as_long_as_its_subscription(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("view.frame", delivery="latest")

    @frames.on_demand
    def render(viewer: Viewer) -> int:
        viewer.memory["sent"] = viewer.memory.get("sent", 0) + 1
        return int(viewer.memory["sent"])

    peer = await viewer_of(app, serve, peers, window=100)
    assert [await frame(peer), await frame(peer)] == [1, 2]
    await peer.subscribe(1, "view.frame", {"row": 1})
    assert await frame(peer) == 3
    await peer.system("wslink.unsubscribe", {"subscription": 1})
    peer.publications.clear()
    await peer.subscribe(1, "view.frame")
    assert await frame(peer) == 1


async def test_only_topics_with_latest_delivery_are_rendered_on_demand_and_by_one_function(app: App) -> None:
    with pytest.raises(UsageError, match="latest"):
        app.topic("test.reliable").on_demand(lambda viewer: 1)
    topic = app.topic("test.latest", delivery="latest")
    topic.on_demand(share=True)(lambda viewer: 1)
    with pytest.raises(UsageError, match="already"):
        topic.on_demand(lambda viewer: 1)


async def test_a_function_that_comes_after_its_viewers_is_called_for_them(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    peer = await viewer_of(app, serve, peers)
    frames.on_demand(lambda viewer: {"still": viewer.still})
    assert await frame(peer) == {"still": False}


async def test_a_server_stops_while_something_is_rendered(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    begun, cancelled = asyncio.Event(), asyncio.Event()

    @frames.on_demand
    async def render(viewer: Viewer) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", stop_timeout=0.2)
    await viewer_of(app, serve, peers, url=f"ws://127.0.0.1:{server.port}/ws")
    await asyncio.wait_for(begun.wait(), 5)
    await server.stop()
    assert cancelled.is_set()
