"""What stands around the ASGI backend, and does more in `send` than to pass on what it is given."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest

from tests.asgi_server import under_uvicorn
from tests.conftest import Open
from tests.peers import Peer
from wslink import App

HELLO = {"secret": "secret"}
FRAME = bytes(2 << 20)
Send = Callable[[Any], Awaitable[None]]
Around = Callable[[Send, Any], Awaitable[None]]
"""Sends an event, in its own way."""
Start = Callable[[App, Around], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start(app: App, around: Around) -> str:
            inner = app.asgi()

            async def middleware(scope: Any, receive: Any, send: Send) -> None:
                await inner(scope, receive, lambda event: around(send, event))

            return f"ws://127.0.0.1:{await stack.enter_async_context(under_uvicorn(middleware))}/ws"

        yield start


async def within_a_scope(send: Send, event: Any) -> None:
    with anyio.fail_after(20):
        await send(event)


async def within_a_timeout(send: Send, event: Any) -> None:
    if sys.version_info >= (3, 11):
        async with asyncio.timeout(20):
            await send(event)
    else:
        await asyncio.wait_for(send(event), 20)


SPAN: contextvars.ContextVar[str] = contextvars.ContextVar("SPAN", default="")


async def within_a_span(send: Send, event: Any) -> None:
    token = SPAN.set("send")
    try:
        await send(event)
    finally:
        SPAN.reset(token)


def stall(peer: Peer, stalled: bool = True) -> None:
    transport: Any = peer.socket._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading() if stalled else transport.resume_reading()


@pytest.mark.parametrize("around", [within_a_scope, within_a_timeout, within_a_span])
async def test_what_a_middleware_enters_to_send_it_leaves_when_the_line_is_slow(
    around: Around, app: App, start: Start, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    """A write that waits goes on as the task, and in the context, in which it began."""
    spans: list[str] = []
    topic = app.topic("test.frame")
    app.method("test.call")(lambda: "answer")
    peer = await peers(await start(app, around), hello=HELLO)
    await peer.subscribe(1, "test.frame")
    stall(peer)
    for number in range(6):
        topic.publish({"number": number, "pixels": FRAME})
        spans.append(SPAN.get())
    await asyncio.sleep(0.1)
    stall(peer, False)
    assert [(await peer.publication())["result"]["number"] for _ in range(6)] == list(range(6))
    assert (await peer.call("test.call"))["result"] == "answer"
    assert set(spans) == {""}
    assert "send" not in caplog.text


async def test_a_time_that_is_over_ends_the_connection_and_no_other(app: App, start: Start, peers: Open) -> None:
    """The client is told by the end of its connection that it lacks something."""

    async def hurry(send: Send, event: Any) -> None:
        with anyio.fail_after(0.2):
            await send(event)

    topic = app.topic("test.frame")
    url = await start(app, hurry)
    slow, quick = [await peers(url, hello=HELLO) for _ in range(2)]
    for peer in (slow, quick):
        await peer.subscribe(1, "test.frame")
    stall(slow)
    for number in range(6):
        topic.publish({"number": number, "pixels": FRAME})
        assert (await quick.publication())["result"]["number"] == number
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(_only(app, quick), 5)
    assert list(app.clients) == [quick.client_id]
    stall(slow, False)
    await slow.closed()


async def test_a_send_that_fails_ends_its_connection_and_no_other(
    app: App, start: Start, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(send: Send, event: Any) -> None:
        if b"secret words" in (event.get("bytes") or b""):
            raise ValueError("not these")
        await send(event)

    app.method("test.say")(lambda words: words)
    url = await start(app, refuse)
    one, other = [await peers(url, hello=HELLO) for _ in range(2)]
    await one.start("test.say", "secret words")
    for _ in range(20):
        await one.start("test.say", "more")
    await asyncio.wait_for(one.closed(), 5)
    assert (await other.call("test.say", "hello"))["result"] == "hello"
    assert "not these" in caplog.text
    assert len(caplog.records) <= 2
    await asyncio.wait_for(_only(app, other), 5)


async def _only(app: App, peer: Peer) -> None:
    while list(app.clients) != [peer.client_id]:
        await asyncio.sleep(0.01)
