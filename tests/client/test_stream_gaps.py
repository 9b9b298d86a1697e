"""The progress of streams, and where a Python client takes and makes none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import wslink
from tests.client.scripted import Connected
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, Call, CallError, NotSerializable, UsageError


async def numbers(count: int = 3) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@pytest.mark.parametrize("run", ["main", "thread"])
async def test_a_stream_tells_of_its_progress(app: App, serve: Serve, run: str) -> None:
    """PRG-1: in order, of what waits only the newest, and nothing after the response."""

    def work(count: int, call: Call) -> Iterator[int]:
        for number in range(count):
            call.progress(f"{number + 1} of {count}")
            yield number

    async def async_work(count: int, call: Call) -> AsyncIterator[int]:
        for number in work(count, call):
            yield number

    app.method("test.work", run=run)(work if run == "thread" else async_work)
    async with wslink.connect(await serve(app), secret="secret") as link:
        seen: list[Any] = []
        stream = link.with_options(on_progress=seen.append).stream("test.work", 100, window=4)
        assert [item async for item in stream] == list(range(100))
        assert seen[-1] == "100 of 100"
        told = [int(value.split()[0]) for value in seen]
        assert told == sorted(set(told))
        assert [item async for item in link.stream("test.work", 10)] == list(range(10))
        assert seen[-1] == "100 of 100", "a stream that did not ask is told nothing"


async def test_a_call_with_a_streamed_argument_tells_of_its_progress(app: App, serve: Serve) -> None:
    @app.method("test.sum")
    async def total(values: AsyncIterator[int], call: Call) -> int:
        total = 0
        async for value in values:
            total += value
            call.progress(total)
        return total

    async with wslink.connect(await serve(app), secret="secret") as link:
        seen: list[int] = []
        assert await link.with_options(on_progress=seen.append).call("test.sum", numbers(50)) == seen[-1] == 1225
        assert seen == sorted(seen)


async def test_streams_refuse_the_options_that_they_cannot_have(app: App, serve: Serve) -> None:
    async with wslink.connect(await serve(app), secret="secret") as link:
        for refused in ({"retry": True}, {"on_transfer": print}):
            with pytest.raises(UsageError, match="on_progress"):
                link.with_options(**refused).stream("test.work")  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="window"):
            link.with_options(on_progress=print).stream("test.work", window=0)


async def test_handlers_have_no_streams(app: App, serve: Serve) -> None:
    """HND-6: they are refused where they are given, what they return is an error, and no argument is a stream."""

    async def rows(count: int) -> AsyncIterator[int]:
        for row in range(count):
            yield row

    async def take(values: AsyncIterator[int]) -> int:
        return 0

    url = await serve(app)
    for handler in (rows, take):
        with pytest.raises(UsageError, match="streams"):
            await wslink.connect(url, secret="secret", handlers={"view.rows": handler})
    async with wslink.connect(url, secret="secret", handlers={"view.makes": numbers_of}) as link:
        with pytest.raises(UsageError, match="streams"):
            link.handle("view.rows", rows)
        client = app.clients[link.client_id]
        for method, code in (("view.rows", -32601), ("view.makes", -32002)):
            with pytest.raises(CallError) as caught:
                await client.call(method, timeout=5)
            assert caught.value.code == code
        with pytest.raises(NotSerializable, match="async_generator"):
            await client.call("view.makes", numbers(), timeout=5)


def numbers_of() -> Any:
    return numbers()


async def test_a_server_that_asks_for_a_stream_is_answered_once(connected: Connected) -> None:
    """HND-6."""
    features = ["arrays", "cancel", "progress", "handle", "stream"]
    _, server = await connected(features, handlers={"test.echo": lambda value: value})
    await server.send({"wslink": "1.0", "id": "rpc:server:0", "stream": 4, "method": "test.echo", "args": [1]})
    await until(lambda: len(server.responses) > 0)
    await asyncio.sleep(0.01)
    [answer] = server.responses
    assert answer["id"] == "rpc:server:0"
    assert ("result" in answer) != ("error" in answer)
