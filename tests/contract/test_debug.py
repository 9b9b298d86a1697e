"""In debug mode, results and publications are checked against what was declared of them."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Annotated, Any, NamedTuple

import numpy
import pytest

import wslink
from tests.conftest import Serve
from tests.contract import offer
from wslink import App, Array, CallError, UsageError


async def test_a_result_is_checked_in_debug_mode_only(serve: Serve) -> None:
    async with wslink.connect(await serve(offer.app, debug=True), secret="secret") as link:
        with pytest.raises(CallError) as error:
            await link.call("wrong.result")
        assert error.value.code == -32001
        assert "method 'wrong.result' returned what its type does not allow: Expected `str`, got `int`" in str(
            error.value
        )
        assert (await link.call("terrain.light", 3))["color"] == "red"
        tree = {"item": {"name": "a", "count": 1}, "children": []}
        assert await link.call("values.tree", tree) == tree
    plain = App(secret="secret")
    plain.method("wrong.result")(offer.wrong)
    async with wslink.connect(await serve(plain), secret="secret") as link:
        assert await link.call("wrong.result") == [2, 2]


class Pair(NamedTuple):
    a: int
    b: str = ""


class Kind(enum.IntEnum):
    ONE = 1


GOOD: list[tuple[Any, Any]] = [
    (set[int], {1, 2}),
    (tuple[int, str], (1, "a")),
    (Pair, Pair(1)),
    (Kind, Kind.ONE),
    (float, 1),
    (numpy.float32, numpy.float32(1.5)),
    (datetime.datetime, datetime.datetime.now(datetime.timezone.utc)),
    (datetime.timedelta, datetime.timedelta(1)),
    (uuid.UUID, uuid.uuid4()),
    (decimal.Decimal, decimal.Decimal("1.5")),
    (bytes, bytearray(b"x")),
    (dict[int, str], {1: "a"}),
    (Annotated[numpy.ndarray, Array("<f4", "n", 2)], numpy.zeros((3, 2), ">f4")),
    (offer.Light, offer.Light(1)),
    (offer.Tile, {"row": 1, "heights": numpy.zeros((2, 2), "f4")}),
    (offer.Item | None, offer.Item(name="a")),
    (Any, object),
    (None, None),
]
BAD: list[tuple[Any, Any]] = [
    (set[int], {"a"}),
    (tuple[int, str], [1]),
    (Kind, 2),
    (int, 1.5),
    (int, None),
    (None, 1),
    (Annotated[numpy.ndarray, Array("<f4", "n", 2)], numpy.zeros((3, 2))),
    (offer.Tile, {"row": 1, "heights": numpy.zeros((2, 3), "f4")}),
    (offer.Light, {"azimuth": "x"}),
    (offer.Item, {"name": 3}),
]


@pytest.mark.parametrize("run", ["loop", "thread", "async"])
async def test_every_kind_of_result_is_checked(app: App, serve: Serve, run: str) -> None:
    for index, (hint, value) in enumerate(GOOD + BAD):
        if value is object:
            value = [1, {"a": b"x"}]

        def sync(value: Any = value) -> Any:
            return value

        async def later(value: Any = value) -> Any:
            await asyncio.sleep(0)
            return value

        function = later if run == "async" else sync
        function.__annotations__["return"] = hint
        app.method(f"a.m{index}", thread=run == "thread")(function)
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        for index in range(len(GOOD)):
            await link.call(f"a.m{index}")
        for index in range(len(GOOD), len(GOOD) + len(BAD)):
            with pytest.raises(CallError, match="does not allow"):
                await link.call(f"a.m{index}")


async def test_symbols_of_arguments_hold_for_the_result(app: App, serve: Serve) -> None:
    Points = Annotated[numpy.ndarray, Array("<f8", "n")]

    def grow(points: Any, by: int) -> Any:
        return numpy.zeros(len(points) + by)

    grow.__annotations__.update({"points": Points, "return": Awaitable[Points]})
    app.method("a.grow")(grow)
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        assert len(await link.call("a.grow", numpy.zeros(3), 0)) == 3
        with pytest.raises(CallError, match="where n is 3"):
            await link.call("a.grow", numpy.zeros(3), 1)


async def test_publications_are_checked_in_debug_mode(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    app = App(secret="secret")
    topic = app.topic("terrain.tile", payload=offer.Tile, tags=offer.TileTags, delivery="latest")
    good = {"row": 1, "heights": numpy.zeros((2, 2), "f4")}
    wrong: list[tuple[Any, Any, str]] = [
        ({"row": "1", "heights": good["heights"]}, {"row": 1, "kind": "rock"}, "Expected `int`, got `str`"),
        (good, {"row": 1, "kind": "mud"}, "given tags what its type does not allow: Invalid enum value 'mud'"),
        (good, {"row": 1, "kind": "rock", "col": 3}, "has no tag 'col'; its tags: kind, row"),
        (good, {"row": 1}, "kind"),
    ]
    for payload, tags, _ in wrong:
        topic.publish(payload, tags)  # not served yet, and so not in debug mode
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        tiles = link.subscribe("terrain.tile")
        await tiles.ready
        for payload, tags, why in wrong:
            with pytest.raises(UsageError, match=why):
                topic.publish(payload, tags)
            with pytest.raises(UsageError, match=why):
                await topic.publish_wait(payload, tags)
        topic.publish(good, {"row": 1, "kind": "rock"})
        assert (await anext(tiles))["row"] == 1
        later = app.topic("later", payload=int)
        with pytest.raises(UsageError, match="Expected `int`"):
            later.publish("x")


async def test_what_is_rendered_on_demand_is_checked(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    app = App(secret="secret")
    topic = app.topic("frames", payload=int, delivery="latest")
    pictures = ["wrong", 3, 3, 3]

    @topic.on_demand
    def render(viewer: wslink.Viewer) -> Any:
        return pictures.pop(0) if pictures else None

    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        frames = link.subscribe("frames")
        await frames.ready
        assert await asyncio.wait_for(anext(frames), 5) == 3
    assert "topic 'frames' was given what its type does not allow: Expected `int`, got `str`" in caplog.text


@pytest.mark.parametrize("thread", [False, True])
async def test_items_of_a_stream_are_checked(serve: Serve, caplog: pytest.LogCaptureFixture, thread: bool) -> None:
    app = App(secret="secret")

    async def items() -> AsyncIterator[int]:
        yield 1
        yield "two"  # type: ignore[misc]

    def steps() -> Iterator[int]:
        yield 1
        yield "two"  # type: ignore[misc]

    app.method("a.items", thread=thread)(steps if thread else items)
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        arrived = []
        with pytest.raises(CallError) as error:
            async for item in link.stream("a.items"):
                arrived.append(item)
        assert (arrived, error.value.code) == ([1], -32002)
    assert "method 'a.items' streamed what its type does not allow: Expected `int`, got `str`" in caplog.text
