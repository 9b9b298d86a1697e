"""Type hints by themselves: what values become, and what is said of those that are refused."""

from __future__ import annotations

import collections
import dataclasses
import typing
from collections import abc
from collections.abc import AsyncIterator, Callable
from typing import Any, Generic, Literal, NamedTuple, Protocol, TypedDict, TypeVar

import attrs
import msgspec
import numpy
import numpy.typing as npt
import pytest

from tests.rpc.checking import checked, told
from wslink import Call
from wslink.rpc.arrays import dims
from wslink.rpc.converters import Unsupported, name_of, options_of, without_names
from wslink.rpc.generics import substituted
from wslink.rpc.hints import bare, checkable, required_keys

pytest.importorskip("pydantic")
pytest.importorskip("typing_extensions")

import pydantic
from typing_extensions import NotRequired, ReadOnly, Required

T = TypeVar("T")
Floats = npt.NDArray[numpy.float32]
F4 = numpy.arange(6, dtype="f4")
F8 = numpy.arange(6, dtype="f8")


@dataclasses.dataclass
class Sphere:
    radius: float


@dataclasses.dataclass
class Box:
    width: float
    height: float = 1.0


@dataclasses.dataclass
class Tall:
    width: float
    height: float
    depth: float = 1.0


@dataclasses.dataclass
class Made:
    values: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class Slotted:
    a: int = 1


class Row(NamedTuple):
    index: int
    values: Floats
    name: str = "row"


class Keys(TypedDict, total=False):
    must: Required[int]
    may: int
    values: Floats


class Strict(TypedDict):
    must: int
    may: NotRequired[int]
    read: ReadOnly[int]
    values: Floats


@attrs.define
class Grid:
    points: Floats
    _name: str = "grid"
    parts: list[int] = attrs.Factory(list)
    made: int = attrs.field(default=3, init=False)


@dataclasses.dataclass
class Mesh:
    points: Floats
    name: str = "mesh"
    parts: list[Mesh] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Chain(Generic[T]):
    value: T
    next: Chain[T] | None = None


class Item(pydantic.BaseModel):
    name: str
    count: int = 1


class Struct(msgspec.Struct):
    values: Floats


class Sized(Protocol):
    size: int


@typing.runtime_checkable
class Shaped(Protocol):
    shape: tuple[int, ...]


@pytest.mark.parametrize(
    ("hint", "factory"),
    [
        (collections.defaultdict[str, list[int]], list),
        (collections.defaultdict[str, int], int),
        (collections.defaultdict[str, set], set),
        (collections.defaultdict[str, Sphere], None),
        (collections.defaultdict[str, Any], None),
        (collections.defaultdict, None),
    ],
    ids=str,
)
def test_a_defaultdict_makes_values_of_its_type(hint: Any, factory: Any) -> None:
    found = checked({}, hint)
    assert (type(found), found.default_factory) == (collections.defaultdict, factory)


@pytest.mark.parametrize(
    ("hint", "value", "becomes"),
    [
        (collections.OrderedDict, {"a": 1}, collections.OrderedDict(a=1)),
        (collections.deque[int], [1], collections.deque([1])),
        (collections.Counter, {"a": 2}, collections.Counter(a=2)),
        (abc.Iterable, [1, "x"], [1, "x"]),
        (abc.Container[str], ["x"], ["x"]),
        (object, 1, 1),
        (Sphere | Box | Tall, {"width": 2, "height": 3}, Box(2.0, 3.0)),
        (Sphere | Box | Tall, {"width": 2, "height": 3, "depth": 4}, Tall(2.0, 3.0, 4.0)),
        (Sphere | Box | Tall, {"width": 2, "other": 3}, Box(2.0)),
        (Sphere | Box | dict[str, int], {"other": 3}, {"other": 3}),
        (Made, {}, Made([])),
        (Slotted, {}, Slotted(1)),
        (Chain[int], {"value": 1, "next": {"value": 2}}, Chain(1, Chain(2))),
        (Item, {"name": "a"}, Item(name="a", count=1)),
        (list[Item], [{"name": "a", "count": 2}], [Item(name="a", count=2)]),
        (dict[int, str], {1: "x"}, {1: "x"}),
        (tuple[int, ...] | None, [1, 2], (1, 2)),
    ],
    ids=str,
)
def test_a_value_becomes_what_the_hint_says(hint: Any, value: Any, becomes: Any) -> None:
    found = checked(value, hint)
    assert found == becomes
    assert type(found) is type(becomes)


@pytest.mark.parametrize(
    ("hint", "value", "seen"),
    [
        (Row, [1, F4], (1, "row")),
        (Row, [1, F4, "x"], (1, "x")),
        (Row, {"index": 1, "values": F4}, (1, "row")),
        (Keys, {"must": 1, "values": F4}, {"must": 1}),
        (Keys, {"must": 1, "may": 2}, {"must": 1, "may": 2}),
        (Strict, {"must": 1, "read": 2, "values": F4}, {"must": 1, "read": 2}),
        (Grid, {"points": F4}, ("grid", [], 3)),
        (Grid, {"points": F4, "_name": "g", "parts": [1]}, ("g", [1], 3)),
        (Mesh, {"points": F4, "parts": [{"points": F4, "name": "x"}]}, ("mesh", ["x"])),
        (Chain[Floats], {"value": F4, "next": {"value": F4}}, (True, None)),
    ],
    ids=str,
)
def test_a_class_with_arrays_is_filled(hint: Any, value: Any, seen: Any) -> None:
    found = checked(value, hint)
    kind = typing.get_origin(hint) or hint
    if isinstance(found, dict):
        assert {name: one for name, one in found.items() if name != "values"} == seen
    elif kind is Row:
        assert (type(found), found.values is F4, (found.index, found.name)) == (Row, True, seen)
    elif kind is Grid:
        assert (type(found), found.points is F4, (found._name, found.parts, found.made)) == (Grid, True, seen)
    elif kind is Mesh:
        assert (type(found), (found.name, [part.name for part in found.parts])) == (Mesh, seen)
    else:
        assert (found.value is F4, found.next.next) == seen


@pytest.mark.parametrize(
    ("hint", "value", "why"),
    [
        (Row, [1], "Object missing required field `values`"),
        (Row, [1, F8], "Expected an array of `float32`, got one of `float64`"),
        (Keys, {}, "Object missing required field `must`"),
        (Strict, {"must": 1, "values": F4}, "Object missing required field `read`"),
        (Strict, {"read": 1, "values": F4}, "Object missing required field `must`"),
        (Grid, {}, "Object missing required field `points`"),
        (Mesh, {"parts": []}, "Object missing required field `points`"),
        (Chain[Floats], {"value": F4, "next": {"value": F8}}, "Expected an array of `float32`, got one of `float64`"),
        (Chain[Floats], {"next": None}, "Object missing required field `value`"),
        (Sphere | Box, 1, "Expected `Sphere | Box`, got `int`"),
        (dict[int, str], {"1": "x"}, "Expected `int`, got `str`"),
        (Shaped, 1, "Expected `Shaped`, got `int`"),
        (Floats | None, 1, "Expected `numpy.ndarray`, got `int`"),
        (collections.deque[int], ["x"], "Expected `int`, got `str`"),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_value(hint: Any, value: Any, why: str) -> None:
    assert told(value, hint).startswith(why)


def test_a_row_that_is_too_long_is_refused() -> None:
    assert told([1, F4, "x", "more"], Row).startswith("Expected `array` of length 2 to 3, got 4")


def test_a_model_of_pydantics_says_what_is_wrong_in_a_line() -> None:
    assert told({}, Item) == ("Expected `Item`: name;   Field required [type=missing, input_value={}, input_type=dict]")


def test_lengths_of_a_member_that_does_not_fit_are_forgotten() -> None:
    from typing import Annotated

    from wslink import Array

    square, wide = (Annotated[numpy.ndarray, Array("<f4", *shape)] for shape in (("n", "m", "n"), ("m", "n", 3)))
    value = numpy.zeros((2, 4, 3), "f4")
    assert checked(value, square | wide) is value
    assert dict(dims.known) == {"m": 2, "n": 4}
    assert told(numpy.zeros(1, "f4"), square | wide).startswith("Expected `typing.Annotated[")
    assert dict(dims.known) == {}


@pytest.mark.parametrize("hint", [Sphere, Made, Slotted, list[Sphere], dict[str, Made], int | None, Literal["a"], Item])
def test_what_msgspec_knows_is_left_to_it(hint: Any) -> None:
    assert (checkable(hint) is hint) == (hint is not Item)


@pytest.mark.parametrize("hint", [Box, list[Box], Mesh, dict[str, Box]])
def test_what_it_would_forget_is_not(hint: Any) -> None:
    assert checkable(hint) is not hint


NOT_SENT = "no client can send a"


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Call, "a Call is passed as a parameter of its own, and nowhere else"),
        (Callable[[int], int], f"{NOT_SENT} Callable"),
        (type, f"{NOT_SENT} type"),
        (type[int], f"{NOT_SENT} type"),
        (list[AsyncIterator[int]], f"{NOT_SENT} AsyncIterator"),
        (collections.ChainMap[str, int], f"{NOT_SENT} ChainMap"),
        (typing.NoReturn, f"{NOT_SENT} NoReturn"),
        (typing.ClassVar[int], "ClassVar[int] is not the type of a value"),
        (Sized, "Sized is a protocol that cannot be checked: make it @runtime_checkable"),
        (Struct, "Struct is a msgspec.Struct with a field that msgspec cannot check"),
        (
            dataclasses.make_dataclass("Lost", [("field", "Nowhere")]),
            "a field of Lost has a hint that cannot be resolved: name 'Nowhere' is not defined",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_checked_is_refused(hint: Any, why: str) -> None:
    with pytest.raises(Unsupported) as caught:
        checkable(hint)
    assert str(caught.value).replace("typing.", "") == why


def test_the_keys_of_a_typed_dict() -> None:
    assert required_keys(Keys) == {"must"}
    assert required_keys(Strict) == {"must", "read", "values"}
    assert (bare(Required[int]), bare(NotRequired[str]), bare(ReadOnly[int]), bare(int)) == (int, str, int, int)
    assert (bare(typing.Final[int]), bare(list[int])) == (int, list[int])


def test_names_stand_for_what_they_name() -> None:
    Number = TypeVar("Number", int, str)
    Small = TypeVar("Small", bound=int)
    user = typing.NewType("user", int)
    staff = typing.NewType("staff", user)
    assert without_names(Number) == int | str
    assert (without_names(Small), without_names(T), without_names(staff), without_names(str)) == (int, Any, int, str)
    assert substituted(T, {T: int}) is int
    assert substituted(T, {}) is T
    assert substituted(dict[str, list[T]], {T: int}) == dict[str, list[int]]
    assert substituted(Chain, {T: int}) is Chain
    assert (name_of(int), name_of(list[int]), name_of(int | None), name_of(Chain)) == (
        "int",
        "list[int]",
        "int | None",
        "Chain",
    )
    assert options_of(typing.cast("Any", __import__("typing_extensions")).Unpack[Keys]) is Keys
    assert options_of(Keys) is None
