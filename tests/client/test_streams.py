"""Streams between the Python client and a server (STR)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy
import pytest

import wslink
from tests.client.reconnecting import SOON
from tests.conftest import Open, Serve
from tests.lines import WAYS, Line
from tests.waiting import until
from wslink import App, CallError, Link, NotSerializable


class Streaming:
    """An app with methods that stream, and what became of their streams."""

    def __init__(self, app: App) -> None:
        self.ended = list[str]()
        self.made = 0

        @app.method("test.count")
        async def count(most: int, size: int = 0, fails: bool = False) -> AsyncIterator[list[Any]]:
            try:
                for n in range(most):
                    self.made += 1
                    yield [n, bytes(size if n % 10 == 3 else 5)]
                if fails:
                    raise ValueError("no more")
                self.ended.append("end")
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise

        @app.method("test.blocking", run="thread")
        def blocking(most: int) -> Iterator[int]:
            yield from range(most)

        self.add_readers(app)

    def add_readers(self, app: App) -> None:
        @app.method("test.collect")
        async def collect(data: AsyncIterator[bytes], stop_after: int = -1) -> list[Any]:
            numbers, total = list[int](), 0
            async for part in data:
                numbers.append(int.from_bytes(part[:4], "little"))
                total += len(part)
                if len(numbers) == stop_after:
                    break
            return [numbers, total]

        @app.method("test.double")
        async def double(values: AsyncIterator[float]) -> AsyncIterator[float]:
            async for value in values:
                yield 2 * value

        app.method("test.plain")(lambda: 1)


async def parts(count: int, size: int = 5, ended: list[str] | None = None) -> AsyncIterator[bytes]:
    """Parts that begin with their number, every tenth of `size` bytes."""
    try:
        for n in range(count):
            yield n.to_bytes(4, "little") + bytes((size if n % 10 == 3 else 5) - 4)
    finally:
        if ended is not None:
            ended.append("closed")


@pytest.fixture
def streaming(app: App) -> Streaming:
    return Streaming(app)


@pytest.fixture
async def link(app: App, serve: Serve, streaming: Streaming) -> AsyncIterator[Link]:
    async with wslink.connect(await serve(app), secret="secret") as link:
        yield link


async def test_a_stream_is_read_item_by_item(link: Link) -> None:
    """STR-1."""
    assert [item[0] async for item in link.stream("test.count", 100, window=3)] == list(range(100))
    assert [item async for item in link.stream("test.blocking", 100)] == list(range(100))
    assert [len(data) async for _, data in link.stream("test.count", 30, size=100_000, window=4)] == [
        100_000 if n % 10 == 3 else 5 for n in range(30)
    ]


@pytest.mark.parametrize("how", ["break", "aclose", "throw", "cancel", "forget"])
async def test_who_reads_no_further_closes_the_generator(link: Link, streaming: Streaming, how: str) -> None:
    """STR-2, STR-3."""
    stream = link.stream("test.count", 10_000, window=4)

    async def read() -> None:
        async for n, _ in stream:
            if n == 2 and how == "break":
                break
            if n == 2:
                await asyncio.Event().wait()

    if how == "break":
        await read()
        del stream
    elif how == "cancel":
        reading = asyncio.create_task(read())
        await until(lambda: streaming.made >= 5)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await stream.aclose()
    else:
        assert (await anext(stream))[0] == 0
        if how == "aclose":
            await stream.aclose()
        elif how == "throw":
            with pytest.raises(ZeroDivisionError):
                await stream.athrow(ZeroDivisionError())
        else:
            del stream, read
    gc.collect()
    await until(lambda: bool(streaming.ended))
    assert streaming.ended == ["GeneratorExit"]
    assert streaming.made <= 9
    assert await link.call("test.plain") == 1


async def test_a_failure_comes_after_the_items_before_it(link: Link) -> None:
    """STR-1."""
    seen = list[int]()
    with pytest.raises(CallError, match="no more"):
        async for n, _ in link.stream("test.count", 3, fails=True):
            seen.append(n)
    assert seen == [0, 1, 2]


async def test_what_does_not_fit_says_what_to_use(link: Link) -> None:
    """STR-1, LIM-19."""
    with pytest.raises(CallError, match=r"link\.stream"):
        await link.call("test.count", 3)
    with pytest.raises(CallError, match=r"link\.call"):
        await anext(link.stream("test.plain"))
    with pytest.raises(CallError, match="max_stream_window"):
        await anext(link.stream("test.count", 3, window=5000))
    with pytest.raises(NotSerializable):
        await anext(link.stream("test.count", object()))
    with pytest.raises(CallError, match="Expected a stream"):
        await link.call("test.collect", [b"x"])


async def test_an_argument_is_an_async_iterable(link: Link) -> None:
    """STR-4."""
    assert await link.call("test.collect", parts(50, 300_000)) == [list(range(50)), 5 * 300_000 + 45 * 5]
    assert await link.call("test.collect", data=parts(3)) == [[0, 1, 2], 15]
    assert await link.call("test.collect", parts(0)) == [[], 0]

    async def values() -> AsyncIterator[float]:
        for value in (1, 2.5):
            yield value

    assert [value async for value in link.stream("test.double", values())] == [2, 5]


async def test_a_source_is_closed_when_nobody_reads_it(link: Link) -> None:
    """STR-4, STR-5."""
    ended = list[str]()
    assert (await link.call("test.collect", parts(10_000, ended=ended), stop_after=3))[0] == [0, 1, 2]
    await until(lambda: ended == ["closed"])

    async def wrong() -> AsyncIterator[Any]:
        try:
            yield b"12345"
            yield "text"
            await asyncio.Event().wait()
        finally:
            ended.append("refused")

    with pytest.raises(CallError, match="item 1 of 'data': Expected `bytes`, got `str`"):
        await link.call("test.collect", wrong())
    calling = asyncio.create_task(link.call("test.collect", parts(10**9, ended=ended)))
    await asyncio.sleep(0.05)
    calling.cancel()
    await asyncio.wait({calling})
    await until(lambda: ended == ["closed", "refused", "closed"])
    assert await link.call("test.plain") == 1


async def test_what_goes_wrong_in_a_source_is_its_callers_error(link: Link) -> None:
    """STR-5."""

    async def unsendable() -> AsyncIterator[Any]:
        yield object()

    async def broken() -> AsyncIterator[Any]:
        yield b"12345"
        raise ZeroDivisionError("mine")

    with pytest.raises(NotSerializable):
        await link.call("test.collect", unsendable())
    with pytest.raises(ZeroDivisionError, match="mine"):
        await link.call("test.collect", broken())


async def test_arrays_are_items(app: App, link: Link) -> None:
    @app.method("test.scale")
    async def scale(arrays: AsyncIterator[numpy.ndarray[Any, Any]]) -> AsyncIterator[Any]:
        async for array in arrays:
            yield array * 2

    async def arrays() -> AsyncIterator[Any]:
        for size in (2, 200_000):
            yield numpy.ones(size, "<f4")

    sums = [float(array.sum()) async for array in link.stream("test.scale", arrays())]
    assert sums == [4.0, 400_000.0]


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_streams_lose_double_and_disorder_nothing_however_often_the_line_is_cut(
    app: App, serve: Serve, streaming: Streaming, engine: str
) -> None:
    """RES-6, STR-7."""
    chance = random.Random(11)
    line = await Line.to(await serve(app, engine=engine), chance)

    async def cut() -> None:
        while True:
            await asyncio.sleep(chance.random() * 0.08)
            line.cut(chance.choice([way for way in WAYS if way != "far"]))

    async def read() -> list[int]:
        seen = list[int]()
        async for n, _ in link.stream("test.count", 600, size=60_000, window=24):
            seen.append(n)
            if n % 10 == 0:
                await asyncio.sleep(0.01)
        return seen

    async def slowly() -> AsyncIterator[bytes]:
        async for part in parts(600, 60_000):
            yield part
            if len(part) > 5:
                await asyncio.sleep(0.01)

    async with wslink.connect(line.url, secret="secret", reconnect=SOON) as link:
        verdicts = list[wslink.Reconnected]()
        link.on_reconnected(verdicts.append)
        cutting = asyncio.create_task(cut())
        seen, collected = await asyncio.gather(read(), link.call("test.collect", slowly()))
        cutting.cancel()
    await line.close()
    assert seen == list(range(600))
    assert collected == [list(range(600)), 60 * 60_000 + 540 * 5]
    assert len(verdicts) > 3
    assert all(verdict.resumed for verdict in verdicts)


async def test_streams_of_a_link_that_ends_end(app: App, serve: Serve, streaming: Streaming) -> None:
    ended = list[str]()
    link = await wslink.connect(await serve(app), secret="secret")
    stream = link.stream("test.count", 10_000, window=2)
    await anext(stream)
    calling = asyncio.create_task(link.call("test.collect", parts(10**9, ended=ended)))
    await asyncio.sleep(0.02)
    await link.close()
    with pytest.raises(wslink.ConnectionClosed):
        await calling
    with pytest.raises(wslink.ConnectionClosed):
        async for _ in stream:
            pass
    await until(lambda: ended == ["closed"] and streaming.ended == ["GeneratorExit"])


async def test_a_server_that_knows_no_streams(peers: Open, released_like: str) -> None:
    async with wslink.connect(released_like, secret="secret", reconnect=False) as link:
        with pytest.raises(CallError, match="'stream'"):
            await anext(link.stream("test.count", 3))
        with pytest.raises(CallError, match="'stream'"):
            await link.call("test.collect", parts(3))


@pytest.fixture
async def released_like(app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a server that accepts no features."""
    monkeypatch.setattr("wslink.session.features.Features.granted", lambda *_: ())
    return await serve(app)
