"""A method runs in the context in which its call arrived, whatever made room for it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator

import pytest

import wslink
from tests.conftest import Open, Serve
from tests.session.streaming import END, FEATURES, stream
from wslink import App, Limits

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def painting(limits: Limits) -> App:
    app = App(secret="secret", limits=limits)

    @app.method("test.paint")
    async def paint(name: str) -> str:
        before = colour.get()
        colour.set(name)
        await asyncio.sleep(0)
        return before

    return app


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_calls_that_waited_know_nothing_of_the_one_whose_end_made_room(serve: Serve, engine: str) -> None:
    """TURN-2."""
    app = painting(Limits(max_calls=1))
    async with wslink.connect(await serve(app, engine=engine), secret="secret") as link:
        calls = [link.call("test.paint", str(number)) for number in range(20)]
        assert set(await asyncio.gather(*calls)) == {"none"}


async def test_calls_of_others_know_nothing_of_it_either(serve: Serve) -> None:
    """LIM-10."""
    app = painting(Limits(max_server_calls=1))
    url = await serve(app)
    async with wslink.connect(url, secret="secret") as one, wslink.connect(url, secret="secret") as other:
        calls = [link.call("test.paint", str(number)) for number in range(20) for link in (one, other)]
        assert set(await asyncio.gather(*calls)) == {"none"}


async def test_a_call_that_waits_beside_a_stream_knows_nothing_of_that(serve: Serve, peers: Open) -> None:
    """STR-6."""
    app = App(secret="secret", limits=Limits(max_calls=1))

    @app.method("test.sink")
    async def sink(data: AsyncIterator[bytes]) -> None:
        colour.set("streamed")
        async for _ in data:
            pass

    app.method("test.colour")(lambda: colour.get())
    peer = await peers(await serve(app), hello={"features": FEATURES})
    upload = await peer.start("test.sink", stream(0))
    await peer.receive_extension()  # credit: it reads
    waiting = await peer.start("test.colour")
    await peer.extension(END, upload, 0, None, 0)
    assert (await peer.answer(waiting))["result"] == "none"
