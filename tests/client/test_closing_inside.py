"""A link that is closed by what it calls."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Serve
from wslink import App, Call, ConnectionClosed, Link, connect
from wslink.errors import ClientGone

Closers = list[asyncio.Task[Any]]


async def ended(link: Link) -> ConnectionClosed:
    return await asyncio.wait_for(link.wait_closed(), 5)


@pytest.fixture(params=["lazy", "eager"])
def tasks(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Called in a test, it makes tasks that run at once, as an application may have them (Python 3.12), or others."""
    if request.param == "eager" and sys.version_info < (3, 12):
        pytest.skip("this Python has none")

    def begin() -> None:
        if sys.version_info >= (3, 12) and request.param == "eager":
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)

    return begin


async def test_an_async_callback_may_close_it_beside_others(app: App, serve: Serve, tasks: Callable[[], None]) -> None:
    link = await connect(await serve(app), secret="secret")
    tasks()
    closed = asyncio.Event()

    async def close(state: str) -> None:
        await asyncio.wait_for(asyncio.gather(link.close(), asyncio.sleep(0)), 5)
        closed.set()

    link.on_statechange(close)
    app.clients[link.client_id].disconnect()
    await asyncio.wait_for(closed.wait(), 2)


async def test_an_async_callback_of_a_change_may_close_it(app: App, serve: Serve, tasks: Callable[[], None]) -> None:
    closed: list[str] = []
    server = await serve(app)
    link = await connect(server, secret="secret")
    tasks()

    async def close(state: str) -> None:
        await link.close()
        closed.append(state)

    link.on_statechange(close)
    link.on_statechange(close)
    app.clients[link.client_id].disconnect()
    await ended(link)
    await asyncio.wait_for(link.close(), 5)
    assert closed == ["closed", "closed"]


@pytest.mark.parametrize("way", ["close", "disconnect"])
async def test_a_handler_may_close_it(app: App, serve: Serve, way: str) -> None:
    """It is cancelled with the session, and the link is closed to its end all the same."""
    link = await connect(await serve(app), secret="secret")

    async def close(call: Call) -> None:
        if way == "close":
            await link.close()
        else:
            call.client.disconnect()
        await asyncio.sleep(30)

    link.handle("page.close", close)
    with pytest.raises(ClientGone):
        await asyncio.wait_for(app.clients[link.client_id].call("page.close"), 5)
    assert (await ended(link)).code == 1000
    await asyncio.wait_for(link.close(), 5)
    assert link.state == "closed"


async def test_who_waits_no_longer_for_the_end_does_not_undo_it(app: App, serve: Serve) -> None:
    link = await connect(await serve(app), secret="secret")
    closing = asyncio.ensure_future(link.close())
    await asyncio.sleep(0)
    closing.cancel()
    assert (await ended(link)).code == 1000
    assert link.state == "closed"


async def test_what_is_told_of_a_call_may_close_it(app: App, serve: Serve) -> None:
    @app.method("test.steps")
    async def steps(call: Call) -> None:
        call.progress(1)
        await asyncio.sleep(30)

    link = await connect(await serve(app), secret="secret")
    tasks: Closers = []

    def close(_: object) -> None:
        tasks.append(asyncio.ensure_future(link.close()))

    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(link.with_options(on_progress=close).call("test.steps"), 5)
    await asyncio.wait_for(asyncio.gather(*tasks), 5)
    assert (await ended(link)).code == 1000


async def test_a_subscriber_may_close_it(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic", retain=True)
    topic.publish(1)
    link = await connect(await serve(app), secret="secret")
    seen: list[Any] = []

    async def read() -> None:
        async for value in link.subscribe("test.topic"):
            seen.append(value)
            await link.close()

    await asyncio.wait_for(read(), 5)
    assert seen == [1]
