"""Rendering on demand on lines and pages that are slow: quality, windows, parts of a picture."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from benchmarks.line import Line

from tests.conftest import Open, Serve
from tests.hub.viewing import frame, viewer_of
from tests.peers import Peer
from wslink import App, UsageError, Viewer


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
