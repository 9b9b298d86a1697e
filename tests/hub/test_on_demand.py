"""Rendering on demand: who is called, when, and what reaches the client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from benchmarks.line import Line

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, UsageError, Viewer

FLOW = {"features": ["subscribe", "flow"]}


async def viewer_of(app: App, serve: Serve, peers: Open, *, url: str = "", **subscription: Any) -> Peer:
    """A client with `flow` that has subscribed to "view.frame"."""
    peer = await peers(url or await serve(app), hello=FLOW)
    peer.acknowledges = True
    request = {"subscription": 1, "topic": "view.frame", **subscription}
    assert "result" in await peer.system("wslink.subscribe", request)
    return peer


async def frame(peer: Peer, count: int | None = None) -> Any:
    """The next frame; the client says that it has dealt with `count` of them."""
    payload = (await asyncio.wait_for(peer.publication(), 15))["result"]
    if count is not None:
        await peer.extension(2, 1, count, 1)
    return payload


async def rest(peer: Peer, count: int = 0) -> int:
    """Deal with frames until one of rest has come; how many there have been."""
    while True:
        count += 1
        if (await frame(peer, count if peer.acknowledges else None))["still"]:
            return count


async def quiet(peer: Peer, seconds: float = 0.4) -> bool:
    """Whether nothing comes for a while."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(peer.publication(), seconds)
        return False
    return True


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


async def test_a_viewer_whose_line_or_page_is_slow_is_rendered_for_at_a_lower_quality(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("view.frame", delivery="latest")
    frames.on_demand(lambda viewer: {"quality": viewer.quality, "still": viewer.still})
    peer = await viewer_of(app, serve, peers)
    for count in range(1, 12):
        found = await frame(peer)
        await asyncio.sleep(0.3)  # the page's callback takes long
        await peer.extension(2, 1, count, 300)
        frames.changed()
    assert found["quality"] < 0.5
    while not (found := await frame(peer))["still"]:
        count += 1
        await peer.extension(2, 1, count, 300)
    assert found["quality"] == 1


@contextlib.asynccontextmanager
async def on_a_line(app: App, serve: Serve, peers: Open) -> AsyncIterator[Peer]:
    """A viewer on a line of 20 Mbit/s and 20 ms, whose page takes no time."""
    url = await serve(app)
    port = urlsplit(url).port
    assert port is not None
    with Line(port, rate=20e6, delay=0.01, buffer=256 * 1024) as line:
        yield await viewer_of(app, serve, peers, url=url.replace(str(port), str(line.port)))


async def watch(peer: Peer, changed: Callable[[], None], seconds: float) -> list[tuple[float, Any]]:
    """What comes, and when, while something changes 100 times a second."""
    found: list[tuple[float, Any]] = []

    async def take() -> None:
        while True:
            result = (await peer.publication())["result"]
            found.append((time.monotonic() - begun, result))
            await peer.extension(2, 1, len(found), 0)

    begun = time.monotonic()
    taking = asyncio.create_task(take())
    while time.monotonic() < begun + seconds:
        changed()
        await asyncio.sleep(0.01)
    taking.cancel()
    return found


async def test_the_line_is_busy_while_something_is_rendered(app: App, serve: Serve, peers: Open) -> None:
    """150 ms of rendering, and 140 ms of the line for what was rendered."""
    frames = app.topic("view.frame", delivery="latest")

    @frames.on_demand
    async def render(viewer: Viewer) -> bytes:
        await asyncio.sleep(0.15)
        return bytes(350_000)

    async with on_a_line(app, serve, peers) as peer:
        found = await watch(peer, frames.changed, 4)
    assert len([when for when, _ in found if when > 1]) > 12  # one after the other they would be 10


async def test_no_part_of_a_picture_is_lost(app: App, serve: Serve, peers: Open) -> None:
    """Parts of which some take longer to render than to send, and some the other way round."""
    frames = app.topic("view.frame", delivery="latest")
    numbers = itertools.count()

    @frames.on_demand
    async def render(viewer: Viewer) -> dict[str, Any] | None:
        number = next(numbers)
        if number >= 60:
            return None
        viewer.again(parts=60)
        await asyncio.sleep(0.03 if number % 3 else 0)
        return {"number": number, "part": bytes(100_000 if number % 4 else 20_000)}

    async with on_a_line(app, serve, peers) as peer:
        assert [(await frame(peer, count + 1))["number"] for count in range(60)] == list(range(60))


async def test_the_quality_is_chosen_for_whole_pictures(app: App, serve: Serve, peers: Open) -> None:
    """25 parts of 40 kB each, at the best quality: 400 ms of the line."""
    frames = app.topic("view.frame", delivery="latest")

    @frames.on_demand
    def render(viewer: Viewer) -> dict[str, Any]:
        viewer.again(parts=25)
        return {"quality": viewer.quality, "part": bytes(int(40_000 * viewer.quality))}

    async with on_a_line(app, serve, peers) as peer:
        found = await watch(peer, frames.changed, 2)
    assert found[-1][1]["quality"] < 0.15


@pytest.mark.parametrize(("features", "window"), [(["subscribe", "flow"], 3), (["subscribe"], 0)])
async def test_a_viewer_knows_its_window(app: App, serve: Serve, peers: Open, features: list[str], window: int) -> None:
    frames = app.topic("view.frame", delivery="latest")
    frames.on_demand(lambda viewer: {"window": viewer.window})
    peer = await peers(await serve(app), hello={"features": features})
    await peer.system("wslink.subscribe", {"subscription": 1, "topic": "view.frame", "window": 3})
    assert (await frame(peer))["window"] == window
    assert frames.subscriptions[0].window == window


async def test_a_picture_has_parts(app: App, serve: Serve, peers: Open) -> None:
    frames = app.topic("view.frame", delivery="latest")
    raised: list[Exception] = []

    @frames.on_demand
    def render(viewer: Viewer) -> None:
        try:
            viewer.again(parts=0)
        except UsageError as error:
            raised.append(error)

    await viewer_of(app, serve, peers)
    await asyncio.sleep(0.05)
    assert "at least 1 part" in str(raised[0])


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
