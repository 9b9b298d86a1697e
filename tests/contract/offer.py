"""An application that declares one of everything."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import numpy
import numpy.typing as npt
import pydantic
from typing_extensions import NotRequired

from wslink import App, Array, Call, Int64, MethodError

app = App(secret="secret")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Light:
    """Where the sun is."""

    azimuth: float
    altitude: float = 30
    color: Color = Color.RED
    names: list[str] = dataclasses.field(default_factory=list)


class Tile(TypedDict):
    """A square of terrain."""

    row: int
    heights: Annotated[numpy.ndarray, Array("<f4", "n", "n")]
    note: NotRequired[str]


class TileTags(TypedDict):
    row: int
    kind: Literal["rock", "sand"]


@dataclasses.dataclass
class Limit:
    most: float


class TooSteep(MethodError):
    """The sun would be below the horizon."""

    code = 7
    data: Limit


class Item(pydantic.BaseModel):
    """Something in a list."""

    name: str
    count: int = 1


class Tree(pydantic.BaseModel):
    item: Item
    children: list[Tree] = []


@app.method("terrain.light", errors=[TooSteep])
def light(azimuth: float, altitude: float = 30, *, color: Color = Color.RED) -> Light:
    """Move the sun.

    Args:
        azimuth: degrees from north.
        altitude: degrees above the horizon.
    """
    if altitude < 0:
        raise TooSteep("below the horizon", Limit(0))
    return Light(azimuth, altitude, color)


@app.method("terrain.relight")
async def relight(light: Light, light2: Light | None = None) -> Light | None:
    return light2 or light


@app.method("values.echo")
def echo(
    when: datetime.datetime | None = None,
    big: Int64 = 0,
    sizes: dict[int, tuple[int, ...]] | None = None,
    pair: tuple[int, str] = (1, "a"),
    data: bytes = b"",
    mode: Literal["fast", "fine", 3] = "fast",
    ratio: Annotated[float, msgspec.Meta(ge=0, le=1, description="From 0 to 1.")] = 0.5,
) -> dict[str, Any]:
    return {"when": when, "big": big, "sizes": sizes, "pair": pair, "data": data, "mode": mode, "ratio": ratio}


@app.method("values.big")
def big(value: Int64) -> list[Int64]:
    return [value, 3]


@app.method("values.many")
def many(first: int, /, second: int = 2, *values: int, **options: bool) -> dict[str, int]:
    return {"first": first, "second": second, "sum": sum(values), "options": len(options)}


@app.method("values.tree")
def tree(tree: Tree) -> Tree:
    return tree


@app.method("mesh.scale")
def scale(
    points: Annotated[numpy.ndarray, Array("<f4", "n", 3)], by: npt.NDArray[numpy.float64], call: Call
) -> Annotated[numpy.ndarray, Array("<f4", "n", 3)]:
    return (points * by.max()).astype("f4")


@app.method("wrong.result")
def wrong(size: int = 2) -> tuple[int, str]:
    return (size, size)  # type: ignore[return-value]


@app.method("terrain")
def terrain() -> None:
    """Make another terrain."""
    tile.publish({"row": 3, "heights": numpy.zeros((2, 2), "f4")}, {"row": 3, "kind": "rock"})


@app.page_method("view.confirm")
def confirm(question: str, light: Light) -> bool:  # type: ignore[empty-body]
    """Ask whoever sits before the page."""


tile = app.topic("terrain.tile", payload=Tile, tags=TileTags, delivery="latest", retain=True, doc="New tiles.")
app.topic("log")


class Part(TypedDict):
    part: int
    whole: Int64


@app.method("mesh.refine")
async def refine(level: int) -> AsyncIterator[Part]:
    """Send the parts of a finer mesh, one by one."""
    for part in range(level):
        yield {"part": part, "whole": level}


@app.method("mesh.upload")
async def upload(parts: AsyncIterator[int]) -> int:
    return sum([part async for part in parts])


@app.method("terrain.ask")
async def ask(call: Call) -> bool:
    answer: bool = await app.clients[call.client_id].call("view.confirm", "Sure?", light=Light(1))
    return answer
