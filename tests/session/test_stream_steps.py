"""Streams of plain generators: each item arrives as it was when it was yielded, and none is lost at the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

import numpy
import pytest

import wslink
from tests.conftest import Serve
from wslink import App, CallError, Link

RUNS: tuple[Literal["thread", "main"], ...] = ("thread", "main")
COUNTS = (0, 1, 3, 4, 7, 33)


async def read(link: Link, method: str, *args: Any) -> tuple[list[Any], int]:
    """The items, and the code of the error that they end with; 0 for none."""
    items = []
    try:
        async for item in link.stream(method, *args):
            items.append(item)
    except CallError as error:
        return items, error.code
    return items, 0


@pytest.mark.parametrize("apart", [False, True], ids=["one thread", "application thread"])
@pytest.mark.parametrize("run", RUNS)
async def test_all_items_arrive_before_the_end_of_a_stream(
    app: App, serve: Serve, run: Literal["thread", "main"], apart: bool
) -> None:
    """STR-4."""

    @app.method("test.count", run=run)
    def count(n: int, then: str = "") -> Iterator[Any]:
        yield from range(n)
        if then == "raise":
            raise wslink.MethodError("enough", code=7)
        if then == "unsendable":
            yield object()

    async with wslink.connect(await serve(app, application_thread=apart), secret="secret") as link:
        for n in COUNTS:
            for then, code in (("", 0), ("raise", 7), ("unsendable", -32002)):
                assert await read(link, "test.count", n, then) == (list(range(n)), code)


@pytest.mark.parametrize("apart", [False, True], ids=["one thread", "application thread"])
@pytest.mark.parametrize("run", RUNS)
async def test_what_was_yielded_may_be_changed(
    app: App, serve: Serve, run: Literal["thread", "main"], apart: bool
) -> None:
    """As a renderer does that draws each picture into the same buffer."""

    @app.method("test.draw", run=run)
    def draw(n: int) -> Iterator[Any]:
        buffer, about = numpy.zeros(100, "f4"), {"n": 0}
        for about["n"] in range(n):
            buffer[:] = about["n"]
            yield [about, buffer]

    async with wslink.connect(await serve(app, application_thread=apart), secret="secret") as link:
        items, _ = await read(link, "test.draw", 12)
    assert [(about["n"], set(buffer)) for about, buffer in items] == [(n, {n}) for n in range(12)]


@pytest.mark.parametrize("apart", [False, True], ids=["one thread", "application thread"])
async def test_other_work_of_the_application_may_change_what_was_yielded(app: App, serve: Serve, apart: bool) -> None:
    @app.method("test.count")
    async def count(n: int) -> AsyncIterator[list[int]]:
        for number in range(n):
            item = [number]
            asyncio.get_running_loop().call_soon(item.append, -1)
            yield item

    async with wslink.connect(await serve(app, application_thread=apart), secret="secret") as link:
        assert await read(link, "test.count", 50) == ([[number] for number in range(50)], 0)
