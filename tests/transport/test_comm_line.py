"""Pages of a notebook that share a slow line to Jupyter, in virtual time: how old the frames are that they see."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from tests.peers import Peer
from tests.session.virtual.clock import VirtualLoop
from wslink import App

OVERHEAD = 1000
"""Bytes of a message of Jupyter's beside what it carries."""


class Direction:
    """What Jupyter's server sends to browsers or reads from them: it keeps all that the line does not carry yet."""

    def __init__(self, rate: float, delay: float) -> None:
        self.rate, self.delay, self.free, self.last = rate, delay, 0.0, 0.0

    def put(self, size: int, deliver: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        self.free = max(self.free, loop.time()) + (size + OVERHEAD) / self.rate
        self.last = max(self.free + self.delay, self.last + 1e-6)  # the order is kept
        loop.call_at(self.last, deliver)


class Notebook:
    """The pages of a widget, and the line that they share."""

    def __init__(self, app: App, rate: float, delay: float) -> None:
        self.down, self.up = Direction(rate, delay), Direction(rate, delay)
        self.pages: dict[str, Page] = {}
        self._endpoint = app.over_comm(self._to_pages)

    def _to_pages(self, content: dict[str, Any], buffers: list[Any]) -> None:
        page = self.pages[content["view"]]
        self.down.put(sum(map(len, buffers)), lambda: page.arrive(content, buffers))

    def from_page(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.up.put(sum(map(len, buffers)), lambda: self._take(content, buffers))

    def _take(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.down.put(0, lambda: None)  # the kernel is busy, and then idle
        self._endpoint.take(content, buffers)


class Page:
    """What js/src/notebook/socket.ts does, as a Peer uses a WebSocket."""

    def __init__(self, notebook: Notebook, name: str) -> None:
        self._notebook = notebook
        self._name = name
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._sent = self._owed = 0
        notebook.pages[name] = self
        self._send({"kind": "open"})

    def _send(self, content: dict[str, Any], *buffers: bytes) -> None:
        owed, self._owed = self._owed, 0
        self._notebook.from_page({"view": self._name, "connection": 1, "taken": owed, **content}, list(buffers))

    def arrive(self, content: dict[str, Any], buffers: list[Any]) -> None:
        assert content["kind"] != "close", content
        for frame in buffers:
            self._frames.put_nowait(bytes(frame))

    async def send_bytes(self, data: bytes) -> None:
        self._send({"kind": "frames", "number": self._sent, "texts": [None]}, data)
        self._sent += 1

    async def receive(self) -> Any:
        frame = await self._frames.get()
        self._owed += len(frame)
        return SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=frame)


async def look(notebook: Notebook, name: str, ages: list[tuple[float, float]]) -> None:
    """Listen, as a page that deals with each frame at once."""
    peer = Peer(None, Page(notebook, name), 2)  # type: ignore[arg-type]
    assert "result" in await peer.hello(..., features=["flow", "subscribe"])
    peer.acknowledges = True
    await peer.subscribe(1, "demo.frame")
    loop = asyncio.get_running_loop()
    while True:
        made = (await peer.publication())["result"]
        ages.append((loop.time(), loop.time() - float(bytes(made[:20]))))
        await peer.extension(2, 1, len(ages), 1)


async def frames_of(
    joins: Sequence[float], size: int, rate: float, delay: float, seconds: float
) -> list[list[tuple[float, float]]]:
    """When each page sees a frame, and how old that is. `joins` are the times at which the pages open."""
    app = App()
    topic = app.topic("demo.frame", delivery="latest")
    notebook = Notebook(app, rate, delay)
    found: list[list[tuple[float, float]]] = [[] for _ in joins]
    loop = asyncio.get_running_loop()
    begin = loop.time()

    async def join(number: int) -> None:
        await asyncio.sleep(joins[number])
        await look(notebook, f"v{number}", found[number])

    looking = [asyncio.ensure_future(join(number)) for number in range(len(joins))]
    while loop.time() < begin + seconds:
        topic.publish(f"{loop.time():<20.5f}".encode() + bytes(size - 20))
        await asyncio.sleep(0.02)
    for one in looking:
        one.cancel()
    await asyncio.gather(*looking, return_exceptions=True)
    return [[(time - begin, age) for time, age in ages] for ages in found]


def simulated(joins: Sequence[float], size: int, seconds: float) -> list[list[tuple[float, float]]]:
    """Frames on a line of 8 Mbit/s."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(frames_of(joins, size, 1e6, 0.01, seconds))
    finally:
        loop.close()


@pytest.mark.parametrize(("pages", "size", "most"), [(2, 100_000, 0.45), (2, 25_000, 0.2)])
def test_frames_of_pages_that_share_a_slow_line_are_not_old(pages: int, size: int, most: float) -> None:
    """A frame of 100 kB takes 0.2 s on half of a line of 8 Mbit/s. What waits before it grew for as long as it went."""
    for frames in simulated([0] * pages, size, 75.0):
        ages = sorted(age for time, age in frames if time > 50)
        assert ages[int(len(ages) * 0.95)] < most
        assert len(ages) * size * pages > 0.6 * 25 * 1e6


def test_a_page_that_joins_takes_the_line_from_another_for_a_while_only() -> None:
    """A frame of 200 kB takes 0.4 s on half of a line of 8 Mbit/s."""
    first, second = simulated([0, 10], 200_000, 60.0)
    assert max(age for _, age in first) < 1.5
    for frames in (first, second):
        ages = sorted(age for time, age in frames if time > 40)
        assert len(ages) * 200_000 > 0.35 * 20 * 1e6
        assert ages[len(ages) // 2] < 0.75
