"""Arguments against type hints: each is checked wherever it stands, or refused when its method is registered."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import sys
import typing
import uuid
from collections import abc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Protocol, TypedDict, TypeVar

import msgspec
import numpy
import numpy.typing as npt
import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Call, CallError, UsageError

T = TypeVar("T")
Floats = npt.NDArray[numpy.float32]
F4, F8, I4 = (numpy.arange(6, dtype=kind).reshape(2, 3) for kind in ("f4", "f8", "i4"))


@dataclasses.dataclass
class Sphere:
    radius: float
    name: str = ""


@dataclasses.dataclass
class Box:
    width: float
    height: float = 1.0


@dataclasses.dataclass
class Mesh:
    points: Floats
    normals: Floats | None = None
    parts: list[Mesh] = dataclasses.field(default_factory=list)
    made: int = dataclasses.field(default=3, init=False)


@dataclasses.dataclass
class Pair(Generic[T]):
    first: T
    second: T


class Holder(Generic[T]):
    pass


class Row(NamedTuple):
    index: int
    values: npt.NDArray[numpy.float64]


class Options(TypedDict, total=False):
    step: int
    mask: npt.NDArray[numpy.bool_]


class Small(TypedDict):
    step: int


class Colour(enum.Enum):
    RED = "red"


class Sized(Protocol):
    size: int


@typing.runtime_checkable
class Shaped(Protocol):
    shape: tuple[int, ...]


class Point(msgspec.Struct):
    x: float


UserId = NewType("UserId", int)
Scalar = TypeVar("Scalar", int, str)
Bounded = TypeVar("Bounded", bound=float)

# hint: values that are taken (and what the method sees, where it is another), values that are refused
CHECKED: list[tuple[Any, list[Any], list[Any]]] = [
    (Floats, [F4], [F8, [1.0], b"x", None]),
    (npt.NDArray[Any], [F4, I4], [[1.0]]),
    (npt.NDArray[numpy.floating[Any]], [F4, F8], [I4]),
    (numpy.ndarray, [F4], [1]),
    (Floats | None, [F4, None], [F8, 1]),
    (typing.Optional[npt.NDArray[numpy.integer]], [I4, None], [F4]),  # noqa: UP045
    (list[Floats], [[F4, F4], []], [[F8], [F4, None], F4]),
    (dict[str, Floats], [{"a": F4}], [{"a": F8}, {"a": 1}]),
    (tuple[Floats, int], [((F4, 1))], [[F8, 1], [F4]]),
    (tuple[Floats, ...], [(F4, F4)], [[F8]]),
    (Annotated[Floats, "points"], [F4], [F8]),
    (Annotated[list[Annotated[Floats | None, "x"]], "points"], [[F4, None]], [[F8]]),
    (list[dict[str, tuple[Floats | None, ...]]], [[{"a": (F4, None)}]], [[{"a": [F8]}]]),
    (abc.Sequence[Floats], [[F4]], [[F8]]),
    (abc.Mapping[str, Floats], [{"a": F4}], [{"a": F8}]),
    (Floats | npt.NDArray[numpy.int32], [F4, I4], [F8]),
    (bytes | numpy.ndarray, [b"x", F4], ["x", 1]),
    (bytes | Floats | None, [b"x", F4, None], ["x", F8]),
    (str | bytes, ["x", b"x"], [1, None]),
    (bytes, [b"x"], ["eA==", [1]]),
    (str, ["x"], [b"x"]),
    (list[str | bytes], [["x", b"x"]], [[1]]),
    (str | datetime.datetime, ["2024-01-02T03:04:05", "x"], [1]),
    (datetime.datetime | None, [("2024-01-02T03:04:05", datetime.datetime(2024, 1, 2, 3, 4, 5)), None], ["x", 1]),
    (list[int] | tuple[int, ...], [[1, 2]], [["x"], 1]),
    (int | str | list[float], [1, "x", [1.5]], [1.5, ["x"]]),
    (set[int] | list[str], [([1, 2], {1, 2}), ["x"]], [[1.5]]),
    (abc.Iterable[int], [[1, 2]], [["x"], 1]),
    (abc.Iterable[Floats], [[F4]], [[F8]]),
    (abc.Collection[int], [[1]], [["x"]]),
    (collections.deque[int], [([1, 2], collections.deque([1, 2]))], [["x"]]),
    (collections.deque, [([1, "x"], collections.deque([1, "x"]))], [1]),
    (typing.OrderedDict[str, int], [({"a": 1}, collections.OrderedDict(a=1))], [{"a": "x"}, {1: 1}]),
    (collections.defaultdict[str, list[int]], [({"a": [1]}, collections.defaultdict(list, a=[1]))], [{"a": ["x"]}]),
    (typing.Counter[str], [({"a": 1}, collections.Counter(a=1))], [{"a": "x"}]),
    (Sphere | Box, [({"radius": 1}, Sphere(1.0)), ({"width": 2}, Box(2.0)), ({"width": 2, "height": 3}, Box(2.0, 3.0))],
     [{}, {"radius": "x"}, 1]),
    (Sphere | Box | None, [({"width": 2}, Box(2.0)), None], [{}]),
    (list[Sphere | Box], [([{"radius": 1}, {"width": 2}], [Sphere(1.0), Box(2.0)])], [[{"radius": "x"}]]),
    (dict[str, Sphere | Box | str], [({"a": {"width": 2}, "b": "x"}, {"a": Box(2.0), "b": "x"})], [{"a": 1}]),
    (Sphere | dict[str, int], [({"radius": 1}, Sphere(1.0)), {"a": 1}], [{"a": "x"}]),
    (Mesh, [({"points": F4}, Mesh(F4)), ({"points": F4, "normals": None}, Mesh(F4))],
     [{"points": F8}, {}, {"points": F4, "normals": F8}]),
    (list[Mesh | None], [([{"points": F4}, None], [Mesh(F4), None])], [[{"points": 1}]]),
    (Row, [([1, F8], Row(1, F8)), ({"index": 1, "values": F8}, Row(1, F8))], [[1, F4], [1], ["x", F8]]),
    (Options, [{}, {"step": 1}, {"mask": F4 > 1}], [{"mask": F4}, {"step": "x"}]),
    (Pair[int], [({"first": 1, "second": 2}, Pair(1, 2))], [{"first": "x", "second": 2}]),
    (Pair[Floats], [({"first": F4, "second": F4}, Pair(F4, F4))], [{"first": F8, "second": F4}, {"first": F4}]),
    (Point | Sphere, [({"x": 1}, Point(1.0)), ({"radius": 1}, Sphere(1.0))], [{}]),
    (Shaped, [F4], [1]),
    (Holder[int], [], [1, {}]),
    (numpy.float32, [(1.5, numpy.float32(1.5)), (1, numpy.float32(1))], ["x"]),
    (numpy.uint8, [(7, numpy.uint8(7))], [300, -1, 1.5]),
    (list[numpy.int64], [([1], [numpy.int64(1)])], [["x"]]),
    (UserId, [1], ["x"]),
    (list[UserId], [[1]], [["x"]]),
    (Scalar, [1, "x"], [1.5]),
    (Bounded, [1.5], ["x"]),
    (Literal["a", 1] | None, ["a", 1, None], ["b"]),
    (Colour | int, [("red", Colour.RED), 1], ["blue", 1.5]),
    (Colour | uuid.UUID, [("red", Colour.RED), (str(uuid.UUID(int=1)), uuid.UUID(int=1))], ["x"]),
    (decimal.Decimal | None, [("1.5", decimal.Decimal("1.5")), None], ["x"]),
    (Annotated[int, msgspec.Meta(ge=0)], [1], [-1]),
    (list[Annotated[float, msgspec.Meta(le=1)] | None], [[0.5, None]], [[2.0]]),
    (object, [1, "x", [F4]], []),
    (Any, [1, {"a": F4}], []),
]  # fmt: skip


def same(a: Any, b: Any) -> bool:
    if isinstance(a, numpy.ndarray) or isinstance(b, numpy.ndarray):
        return type(a) is type(b) and a.dtype == b.dtype and bool((a == b).all())
    if dataclasses.is_dataclass(a) and not isinstance(a, type):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, dict):
        return type(a) is type(b) and a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple, collections.deque)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and bool(a == b)


@pytest.mark.parametrize(("hint", "taken", "refused"), CHECKED, ids=[str(case[0])[:60] for case in CHECKED])
async def test_a_hint_is_checked(app: App, serve: Serve, hint: Any, taken: list[Any], refused: list[Any]) -> None:
    seen: list[Any] = []

    def direct(value):  # type: ignore[no-untyped-def]
        seen.append(value)

    def nested(first, values=(), *, named=None):  # type: ignore[no-untyped-def]
        seen.extend(values)

    def several(*values):  # type: ignore[no-untyped-def]
        seen.extend(values)

    def by_name(**values):  # type: ignore[no-untyped-def]
        seen.extend(values.values())

    direct.__annotations__ = {"value": hint}
    nested.__annotations__ = {"first": int, "values": list[hint], "named": hint}
    several.__annotations__ = by_name.__annotations__ = {"values": hint}
    for function in (direct, nested, several, by_name):
        app.method(f"test.{function.__name__}")(function)
    async with wslink.connect(await serve(app), secret="secret") as link:
        for case in taken:
            value, arrives = case if isinstance(case, tuple) and len(case) == 2 and case[0] is not F4 else (case, case)
            for call in (
                link.call("test.direct", value),
                link.call("test.direct", value=value),
                link.call("test.nested", 1, [value]),
                link.call("test.several", value),
                link.call("test.by_name", a=value),
            ):
                await call
                assert same(seen.pop(), arrives), (value, arrives)
        for value in refused:
            for call in (
                link.call("test.direct", value),
                link.call("test.direct", value=value),
                link.call("test.nested", 1, [value]),
                link.call("test.nested", 1, named=value),
                link.call("test.several", value),
                link.call("test.by_name", a=value),
            ):
                with pytest.raises(CallError) as error:
                    await call
                assert error.value.code == -32602, (value, error.value)
                assert "isinstance" not in str(error.value)
        assert seen == []


async def test_an_iterator_is_one(app: App, serve: Serve) -> None:
    @app.method("test.iterate")
    def iterate(values: Iterator[int]) -> list[int]:
        return [next(values), *values]

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("test.iterate", [1, 2, 3]) == [1, 2, 3]


def refused_generator() -> Iterator[int]:
    yield 1


class Generating:
    def __call__(self) -> Iterator[int]:
        yield 1


@pytest.mark.parametrize(
    "function",
    [refused_generator, Generating(), functools.partial(refused_generator)],
    ids=lambda function: type(function).__name__,
)
def test_a_generator_is_refused_when_it_is_registered(app: App, function: Any) -> None:
    with pytest.raises(UsageError, match=r"'test.generator' is a generator"):
        app.method("test.generator")(function)


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Callable[[int], int], "no client can send a Callable"),
        (abc.Callable, "no client can send a Callable"),
        (list[Callable[..., Any]], "no client can send a Callable"),
        (type[int], "no client can send a type"),
        (type, "no client can send a type"),
        (dict[str, type[int]], "no client can send a type"),
        (list[AsyncIterator[bytes]], "no client can send a AsyncIterator"),
        (abc.Awaitable[int], "no client can send a Awaitable"),
        (Sized, "is a protocol that cannot be checked"),
        (list[Sized | None], "is a protocol that cannot be checked"),
        (list[Call], "a Call is passed as a parameter of its own"),
        (dict[str, Call], "a Call is passed as a parameter of its own"),
        (Pair[Call], "a Call is passed as a parameter of its own"),
        (numpy.datetime64, "no client can send a datetime64"),
        (dataclasses.make_dataclass("Held", [("calls", Call)]), "a Call is passed as a parameter of its own"),
        (dataclasses.make_dataclass("Lost", [("field", "Nowhere")]), "cannot be resolved"),
        ("Nowhere", "cannot be resolved"),
        ("list[Nowhere]", "cannot be resolved"),
    ],
    ids=str,
)
def test_a_hint_that_cannot_be_checked_is_refused_by_name(app: App, hint: Any, why: str) -> None:
    for shape in ("value", "*values", "**values", "row=None, *, value=None"):
        functions: dict[str, Any] = {}
        exec(f"def function({shape}): pass", functions)
        name = "values" if "values" in shape else "value"
        functions["function"].__annotations__ = {name: hint}
        with pytest.raises(UsageError, match=rf"method 'test.refused': .*parameter '{name}'.*{why}|{why}") as refused:
            app.method("test.refused")(functions["function"])
        assert f"'{name}'" in str(refused.value)


@pytest.mark.parametrize("shape", ["*calls: Call", "**calls: Call"])
def test_several_calls_are_refused(app: App, shape: str) -> None:
    functions: dict[str, Any] = {"Call": Call}
    exec(f"def function({shape}): pass", functions)
    with pytest.raises(UsageError, match="'calls' cannot be several calls"):
        app.method("test.refused")(functions["function"])


async def test_classes_of_a_function_are_found(app: App, serve: Serve) -> None:
    @dataclasses.dataclass
    class Local:
        row: int

    @app.method("test.local")
    def local(value: Local | Sphere, *others: Local) -> list[str]:
        return [type(item).__name__ for item in (value, *others)]

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("test.local", {"row": 1}, {"row": 2}) == ["Local", "Local"]
        with pytest.raises(CallError):
            await link.call("test.local", {"row": "x"})


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the `type` statement came with Python 3.12")
async def test_a_generic_alias_stands_for_its_value(app: App, serve: Serve) -> None:
    names: dict[str, Any] = {}
    exec("type Swapped[K, V] = dict[V, K]\ntype Rows[T] = list[Swapped[int, T]]", names)

    def first(value: Any) -> Any:
        return value

    first.__annotations__ = {"value": names["Rows"][str]}
    app.method("test.first")(first)
    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("test.first", [{"a": 1}]) == [{"a": 1}]
        for wrong in ([{"a": "b"}], [{1: 1}]):
            with pytest.raises(CallError):
                await link.call("test.first", wrong)


@dataclasses.dataclass
class Lamp:
    watts: float
    color: str = "white"
    made: int = dataclasses.field(default=3, init=False)
    notes: list[str] = dataclasses.field(default_factory=list)


class Room(msgspec.Struct):
    lamp: Lamp


async def test_what_was_left_out_is_there_when_it_is_sent_back(app: App, serve: Serve) -> None:
    @app.method("lamp.echo")
    def echo(lamp: Lamp, more: list[Lamp | None], by: dict[str, Lamp]) -> list[Any]:
        return [lamp, more, by]

    @app.method("lamp.room")
    def room(room: Room) -> float:
        return room.lamp.watts

    async with wslink.connect(await serve(app), secret="secret") as link:
        whole = {"watts": 3, "color": "white", "notes": []}
        sent = {"watts": 3}
        assert await link.call("lamp.echo", sent, [sent, None], {"a": sent}) == [whole, [whole, None], {"a": whole}]
        assert await link.call("lamp.room", {"lamp": sent}) == 3
