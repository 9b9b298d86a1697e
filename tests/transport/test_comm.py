"""Connections over the messages of a Jupyter comm."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from tests.peers import Peer
from tests.waiting import until
from wslink import App, Credentials, Identity
from wslink.transport import heartbeat
from wslink.transport.comm import INTERVAL, WINDOW

RESUME = {"features": ["resume", "subscribe"]}


class Widget:
    """Stands in for the notebook: the pages of one widget, and what the kernel sends them."""

    def __init__(self, app: App) -> None:
        self.pages: dict[tuple[str, int], Page] = {}
        self.endpoint = app.over_comm(self.arrive)

    def arrive(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.pages[content["view"], content["connection"]].arrive(content, buffers)

    def open(self, view: str = "v", number: int = 1) -> Page:
        page = self.pages[view, number] = Page(self, view, number)
        page.send("open")
        return page

    def peer(self, view: str = "v", number: int = 1) -> tuple[Page, Peer]:
        page = self.open(view, number)
        return page, Peer(None, page, 2)  # type: ignore[arg-type]


class Page:
    """A page's WebSocket over the comm, as a Peer uses one."""

    def __init__(self, widget: Widget, view: str, number: int) -> None:
        self.widget = widget
        self.address = {"view": view, "connection": number}
        self.contents: list[dict[str, Any]] = []
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.takes, self.pongs = True, True
        self.sent = self.arrived = self.expected = self.taken = 0
        self.end: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.close_code: int | None = None

    def send(self, kind: str, buffers: tuple[bytes, ...] = (), **content: Any) -> None:
        self.widget.endpoint.take({**self.address, "kind": kind, **content}, buffers)

    def arrive(self, content: dict[str, Any], buffers: list[Any]) -> None:
        self.contents.append(content)
        kind = content["kind"]
        self.taken += content.get("taken", 0)
        if kind == "frames":
            assert content["number"] == self.expected
            self.expected += 1
            remaining = iter(buffers)
            for text in content["texts"]:
                frame = bytes(next(remaining)) if text is None else text
                self.arrived += len(frame)
                self.frames.put_nowait(SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=frame))
                if self.takes:
                    self.send("taken", taken=len(frame))
        elif kind == "ping" and self.pongs:
            self.send("pong")
        elif kind == "close":
            self.close_code = content["code"]
            self.frames.put_nowait(SimpleNamespace(type=aiohttp.WSMsgType.CLOSED, data=None, extra=content["reason"]))
            if not self.end.done():
                self.end.set_result((content["code"], content["reason"]))

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [content for content in self.contents if content["kind"] == kind]

    async def send_bytes(self, data: bytes) -> None:
        self.send("frames", (data,), number=self.sent, texts=[None])
        self.sent += 1

    async def receive(self) -> Any:
        return await self.frames.get()


@pytest.fixture
def app() -> App:
    made = App(secret="of the server")
    made.topic("demo.tick")

    @made.method("demo.echo")
    def echo(value: Any) -> Any:
        return value

    return made


async def test_a_page_needs_no_secret_and_calls_and_listens(app: App) -> None:
    page, peer = Widget(app).peer()
    assert "result" in await peer.hello(..., features=["subscribe"])
    samples = bytes(range(256)) * 8_000
    assert (await peer.call("demo.echo", samples))["result"] == samples
    await peer.subscribe(1, "demo.tick")
    app.topic("demo.tick").publish(samples)
    assert (await peer.publication())["result"] == samples
    assert page.of("opened")
    assert len(page.of("frames")) == page.expected
    await until(lambda: page.taken > len(samples))


async def test_a_secret_that_a_page_sends_counts_and_so_does_the_application(app: App) -> None:
    widget = Widget(app)
    _, peer = widget.peer()
    assert "error" in await peer.hello("guessed")
    assert "result" in await peer.hello("of the server")

    @app.authenticate
    def authenticate(credentials: Credentials) -> Identity | None:
        return Identity("ada") if credentials.secret == "hers" else None

    _, other = widget.peer("w")
    assert "error" in await other.hello(...)
    assert "result" in await other.hello("hers")


async def test_a_page_that_takes_nothing_is_sent_one_window_and_holds_up_no_other(app: App) -> None:
    widget = Widget(app)
    slow, slow_peer = widget.peer("slow")
    _, quick = widget.peer("quick")
    for peer in (slow_peer, quick):
        await peer.hello(..., features=["subscribe"])
        await peer.subscribe(1, "demo.tick")
    slow.takes = False
    before, frame = slow.arrived, bytes(100_000)
    for _ in range(40):
        app.topic("demo.tick").publish(frame)
    for _ in range(40):
        await quick.publication()
    await asyncio.sleep(0.05)
    assert WINDOW <= slow.arrived - before < WINDOW + 2 * len(frame)
    slow.takes = True
    slow.send("taken", taken=slow.arrived - before)
    for _ in range(40):
        await slow_peer.publication()


async def test_many_small_publications_go_in_few_messages(app: App) -> None:
    page, peer = Widget(app).peer()
    await peer.hello(..., features=["subscribe"])
    await peer.subscribe(1, "demo.tick")
    before, started = len(page.contents), asyncio.get_running_loop().time()
    for number in range(500):
        app.topic("demo.tick").publish(number)
        if number % 50 == 0:
            await asyncio.sleep(INTERVAL / 2)
    for number in range(500):
        assert (await peer.publication())["result"] == number
    elapsed = asyncio.get_running_loop().time() - started
    assert len(page.contents) - before <= elapsed / INTERVAL + 3


@pytest.mark.parametrize("code", [1001, 1006])
async def test_a_page_that_lost_its_connection_resumes_and_one_that_left_does_not(app: App, code: int) -> None:
    gone: list[str] = []
    app.on_disconnect(gone.append)
    widget = Widget(app)
    page, peer = widget.peer()
    first = (await peer.hello(..., **RESUME))["result"]
    page.send("close", code=code, reason="")
    known = {"token": first["resume"]["token"], "received": 0, "sent": 0}
    _, again = widget.peer("v", 2)
    second = (await again.hello(..., **RESUME, resume=known))["result"]
    assert second["resume"]["resumed"] is (code == 1006)
    await asyncio.sleep(0.02)
    assert bool(gone) is (code == 1001)


async def test_a_view_that_is_closed_ends_all_of_its_connections(app: App) -> None:
    widget = Widget(app)
    gone: list[str] = []
    app.on_disconnect(gone.append)
    for view, number in [("v", 1), ("v", 2), ("w", 1)]:
        _, peer = widget.peer(view, number)
        await peer.hello(...)
    widget.endpoint.take({"kind": "leave", "view": "v"}, [])
    await until(lambda: len(gone) == 2)
    assert (await peer.call("demo.echo", 1))["result"] == 1


async def test_a_connection_of_which_messages_were_lost_is_closed(app: App) -> None:
    page, peer = Widget(app).peer()
    await peer.hello(...)
    page.sent += 1
    await page.send_bytes(b"later")
    assert (await page.end)[0] == 1008


async def test_a_frame_that_is_too_large_is_refused(app: App) -> None:
    widget = Widget(app)
    stranger, (page, peer) = widget.open("stranger"), widget.peer()
    await peer.hello(...)
    for one, size in [(stranger, 100_000), (page, 5 << 20)]:
        await one.send_bytes(bytes(size))
        assert (await one.end)[0] == 1009


async def test_a_page_that_sends_before_its_bytes_are_taken_is_closed() -> None:
    app = App()
    blocked = asyncio.Event()

    @app.method("demo.wait", detached=True)
    async def wait(value: bytes) -> None:
        await blocked.wait()

    page, peer = Widget(app).peer()
    await peer.hello(...)
    message = bytes(2 << 20)
    for _ in range(12):
        await peer.start("demo.wait", message)
    blocked.set()
    assert (await asyncio.wait_for(page.end, 5))[0] == 1008


@pytest.mark.parametrize("texts", [5, True, "abc", {"a": 1}, None, [""] * 100_000])
async def test_frames_that_are_none_or_without_number_end_that_connection_alone(app: App, texts: Any) -> None:
    widget = Widget(app)
    page, other = widget.open("bad"), widget.open("good")
    page.send("frames", number=0, texts=texts)
    assert (await page.end)[0] == 1008
    for number in range(3):
        page.send("frames", number=number, texts=["x"])
    peer = Peer(None, other, 2)  # type: ignore[arg-type]
    assert "result" in await peer.hello(...)


async def test_a_page_that_takes_nothing_does_not_outlive_its_end(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wslink.transport.comm.CLOSE_TIMEOUT", 0.1)
    gone: list[str] = []
    app.on_disconnect(gone.append)
    page, peer = Widget(app).peer()
    await peer.hello(..., features=["subscribe"])
    await peer.subscribe(1, "demo.tick")
    page.takes = False
    app.topic("demo.tick").publish(bytes(2 * WINDOW))
    await asyncio.sleep(0.05)
    page.sent += 1
    await page.send_bytes(b"later")
    await until(lambda: gone)
    await asyncio.sleep(0.15)
    page.send("frames", (b"more",), number=page.sent, texts=[None])
    assert page.of("close")[-1]["reason"] == "the connection is not known here"


async def test_a_page_that_is_silent_is_ended_and_one_that_answers_is_not(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_HEART_BEAT", "1")
    widget = Widget(app)
    silent, peer = widget.peer("silent")
    await peer.hello(...)
    silent.pongs = False
    alive, other = widget.peer("alive")
    await other.hello(...)
    assert (await asyncio.wait_for(silent.end, 8))[0] == 1006
    assert alive.of("ping")
    assert not alive.end.done()
    assert (await other.call("demo.echo", 1))["result"] == 1


async def test_a_message_that_cannot_be_sent_is_the_end_of_its_page_alone(
    app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    monkeypatch.setenv("WSLINK_HEART_BEAT", "0.1")

    def send(content: dict[str, Any], buffers: list[Any]) -> None:
        if content["kind"] != "opened":
            raise OSError("the kernel has no line any more")

    cut = app.over_comm(send)
    for view in "abc":
        cut.take({"kind": "open", "view": view, "connection": 1}, ())
    silent, peer = Widget(app).peer("silent")
    await peer.hello(...)
    silent.pongs = False
    assert (await asyncio.wait_for(silent.end, 8))[0] == 1006
    await until(lambda: not cut._connections)
    assert "a message to a page cannot be sent" in caplog.text


async def test_no_more_come_in_than_max_clients_unless_one_is_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    from wslink import Limits

    widget = Widget(App(limits=Limits(max_clients=2)))
    stranger = widget.open("stranger")
    _, peer = widget.peer("a")
    await peer.hello(...)
    _, other = widget.peer("b")
    await other.hello(...)
    assert (await stranger.end)[0] == 1013
    assert (await widget.open("c").end)[0] == 1013


@pytest.mark.parametrize("content", [{}, {"view": 1}, {"view": "v"}, {"view": "v", "connection": "x"}, {"kind": 3}])
async def test_what_makes_no_sense_is_ignored(app: App, content: dict[str, Any]) -> None:
    widget = Widget(app)
    widget.endpoint.take(content, [])
    _, peer = widget.peer()
    assert "result" in await peer.hello(...)
