"""Links to an application inside of its own process."""

from __future__ import annotations

import asyncio

import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Call, CallError, ConnectionClosed, UsageError


def app() -> App:
    app = App()
    tiles = app.topic("demo.tile")

    @app.method("demo.add")
    def add(a: int, b: int = 1) -> int:
        return a + b

    @app.method("demo.paint")
    def paint(size: int, count: int = 1) -> int:
        return sum(tiles.publish({"n": n, "pixels": bytes(size)}, tags={"row": n % 2}) for n in range(count))

    @app.method("demo.ask")
    async def ask(call: Call) -> str:
        return str(await call.client.call("page.name"))

    return app


async def test_it_calls_methods_without_a_port() -> None:
    async with app().connect() as link:
        assert await link.call("demo.add", 2, b=5) == 7
        with pytest.raises(CallError, match="Expected `int`|Expected int"):
            await link.call("demo.add", "two")


async def test_nothing_runs_on_behind_a_link_that_was_closed() -> None:
    before = asyncio.all_tasks()
    async with app().connect() as link:
        await link.call("demo.add", 2)
    assert asyncio.all_tasks() == before


async def test_publications_come_in_order_and_by_the_filter() -> None:
    async with app().connect() as link:
        odd = link.subscribe("demo.tile", filter={"row": 1})
        await odd.ready
        assert await link.call("demo.paint", 100_000, count=40) == 20
        assert [(await anext(odd))["n"] for _ in range(20)] == list(range(1, 40, 2))


async def test_large_messages_go_both_ways() -> None:
    application = app()

    @application.method("demo.echo")
    def echo(data: bytes) -> bytes:
        return data

    data = bytes(range(256)) * 65_536  # 16 MiB
    async with application.connect() as link:
        echoed, small = await asyncio.gather(link.call("demo.echo", data), link.call("demo.add", 1))
        assert echoed == data
        assert small == 2


async def test_the_application_calls_its_handlers() -> None:
    async with app().connect(handlers={"page.name": lambda: "inside"}) as link:
        assert await link.call("demo.ask") == "inside"


async def test_it_is_a_client_like_others(serve: Serve) -> None:
    application = app()
    gone = asyncio.Event()
    application.on_disconnect(lambda _: gone.set())
    url = await serve(application)
    async with wslink.connect(url, secret=application.secret) as outside, application.connect() as link:
        seen = outside.subscribe("demo.tile")
        await seen.ready
        assert len(application.clients) == 2
        assert await link.call("demo.paint", 10) == 1
        assert (await anext(seen))["n"] == 0
    await asyncio.wait_for(gone.wait(), 5)


async def test_the_application_can_end_it() -> None:
    application = app()
    async with application.connect() as link:
        [client] = application.clients.values()
        client.disconnect("enough")
        with pytest.raises(ConnectionClosed, match="enough"):
            await link.call("demo.add", 1)
            await asyncio.sleep(0.1)
            await link.call("demo.add", 1)


async def test_a_thread_of_the_application_is_refused(serve: Serve) -> None:
    application = app()
    await serve(application, application_thread=True)
    with pytest.raises(UsageError, match="connect to its port"):
        await application.connect()


def test_each_test_has_an_event_loop_of_its_own() -> None:
    application = app()

    async def add() -> object:
        async with application.connect() as link:
            return await link.call("demo.add", 1)

    assert [asyncio.run(add()) for _ in range(2)] == [2, 2]
