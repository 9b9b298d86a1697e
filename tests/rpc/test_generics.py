"""Generic classes whose bases, or users, say what stands for their type variables."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

import msgspec
import numpy
import numpy.typing as npt
import pytest

pytest.importorskip("typing_extensions")

import typing_extensions

from wslink import App, UsageError
from wslink.rpc.converters import Unsupported, convert
from wslink.rpc.hints import checkable

if sys.version_info >= (3, 11):
    from typing import TypedDict
else:  # which cannot be generic
    from typing_extensions import TypedDict

T = TypeVar("T")
U = TypeVar("U")
Floats = npt.NDArray[numpy.float32]


@dataclasses.dataclass
class Box(Generic[T]):
    value: T


@dataclasses.dataclass
class IntBox(Box[int]):
    pass


@dataclasses.dataclass
class Deeper(IntBox):
    more: str = ""


@dataclasses.dataclass
class Row(Box[list[T]], Generic[T]):
    other: T


class Tag(TypedDict, Generic[T]):
    value: T


class IntTag(Tag[int]):
    more: str


class Sent(msgspec.Struct, Generic[T]):
    value: T


class IntSent(Sent[int]):
    pass


@dataclasses.dataclass
class Image(Box[Floats]):
    name: str


class Point(NamedTuple):
    x: int
    data: Floats


class Named(Point):
    """A subclass that adds methods alone."""

    def length(self) -> int:
        return self.x


GOOD = {"value": 1}
NEWER = """
@dataclasses.dataclass
class Node[A]:
    value: A

@dataclasses.dataclass
class Leaf(Node[int]):
    pass
"""

RECURSIVE = """
type Json = dict[str, Json] | list[Json] | str | int | None
type Tree[A] = dict[str, Tree[A]] | A
type Rows = list[Json]
type Grown[A] = list[Grown[list[A]]]
type Items[A] = list[A]
type Odd = list[Even]
type Even = list[Odd]
type Next = Chain | None

@dataclasses.dataclass
class Chain:
    value: int
    next: Next
"""


@pytest.mark.parametrize("value", ["x", None, 1.5, [1]])
@pytest.mark.parametrize("hint", [Box[int], IntBox, Deeper, Sent[int], IntSent, Tag[int], Box[IntBox], list[Box[int]]])
def test_what_a_base_says_is_checked(hint: Any, value: Any) -> None:
    inner = {"value": value}
    given: Any = {"value": inner} if hint == Box[IntBox] else [inner] if hint == list[Box[int]] else inner
    with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
        convert(given, checkable(hint))


def test_what_a_base_says_is_taken() -> None:
    assert convert(GOOD, checkable(IntBox)) == IntBox(1)
    assert convert({**GOOD, "more": "x"}, checkable(Deeper)) == Deeper(1, "x")
    assert convert({**GOOD, "more": "x"}, checkable(IntTag)) == {"value": 1, "more": "x"}
    assert convert({"value": [1], "other": 2}, checkable(Row[int])) == Row([1], 2)
    assert convert({"value": "anything"}, checkable(Box)) == Box("anything")


@pytest.mark.parametrize(
    "given", [{"value": ["x"], "other": 1}, {"value": [1], "other": "x"}, {"value": 1, "other": 1}]
)
def test_one_variable_stands_for_two_types(given: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(given, checkable(Row[int]))


def test_arrays_in_generic_classes_and_in_subclasses_of_named_tuples() -> None:
    data = numpy.zeros(2, "f4")
    image = convert({"value": data, "name": "x"}, checkable(Image))
    assert type(image) is Image
    assert image.value is data
    for hint in (Point, Named):
        found = convert([1, data], checkable(hint))
        assert type(found) is hint
        assert found[1] is data
        with pytest.raises(msgspec.ValidationError, match="float32"):
            convert([1, numpy.zeros(2)], checkable(hint))
    with pytest.raises(msgspec.ValidationError, match="float32"):
        convert({"value": numpy.zeros(2), "name": "x"}, checkable(Image))


def test_a_description_says_the_same() -> None:
    app = App(secret="secret")

    @app.method("a.b")
    def method(box: IntBox, row: Row[int], tag: IntTag, sent: IntSent) -> Deeper: ...

    found = app.describe()["$defs"]
    assert found["IntBox"]["properties"]["value"] == {"type": "integer"}
    assert found["Deeper"]["properties"]["value"] == {"type": "integer"}
    assert found["IntTag"]["properties"]["value"] == {"type": "integer"}
    assert found["IntSent"]["properties"]["value"] == {"type": "integer"}
    row = next(one for name, one in found.items() if name.startswith("Row"))
    assert row["properties"] == {"value": {"type": "array", "items": {"type": "integer"}}, "other": {"type": "integer"}}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is newer")
def test_the_syntax_of_python_3_12() -> None:
    space: dict[str, Any] = {"dataclasses": dataclasses, "__name__": __name__}
    exec(compile(NEWER, "newer", "exec", dont_inherit=True), space)
    for hint in (space["Node"][int], space["Leaf"]):
        assert convert(GOOD, checkable(hint)).value == 1
        with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
            convert({"value": "x"}, checkable(hint))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is newer")
def test_a_type_that_refers_to_itself_is_refused_by_its_name_unless_a_class_does() -> None:
    space: dict[str, Any] = {"dataclasses": dataclasses, "__name__": __name__}
    exec(compile(RECURSIVE, "recursive", "exec", dont_inherit=True), space)
    for hint in (space["Json"], space["Tree"][int], space["Odd"], space["Rows"], space["Grown"][int]):
        with pytest.raises(Unsupported, match="refers to itself"):
            checkable(hint)
    assert convert([[1]], checkable(space["Items"][space["Items"][int]])) == [[1]]
    chain = {"value": 1, "next": {"value": 2, "next": None}}
    assert convert(chain, checkable(space["Chain"])).next.value == 2
    with pytest.raises(msgspec.ValidationError, match="Expected `int`"):
        convert({"value": 1, "next": {"value": "x", "next": None}}, checkable(space["Chain"]))


class Other(typing_extensions.TypedDict):
    value: typing_extensions.ReadOnly[int]
    data: typing_extensions.NotRequired[Floats]


def test_a_typed_dict_of_typing_extensions_is_one() -> None:
    data = numpy.zeros(2, "f4")
    assert convert({**GOOD, "data": data}, checkable(Other)) == {**GOOD, "data": data}
    for wrong in ({}, {"value": "x"}, {**GOOD, "data": numpy.zeros(2)}):
        with pytest.raises(msgspec.ValidationError):
            convert(wrong, checkable(Other))
    app = App(secret="secret")

    @app.method("a.b")
    def method(other: Other) -> None: ...

    assert app.describe()["$defs"]["Other"]["required"] == ["value"]


@pytest.mark.parametrize(
    "hint", [Annotated[str | None, msgspec.Meta(min_length=2)], Annotated[int, msgspec.Meta(max_length=2)]]
)
def test_a_note_that_its_type_cannot_have_is_refused_when_a_method_is_registered(hint: Any) -> None:
    def method(value: Any) -> None: ...

    method.__annotations__["value"] = hint
    with pytest.raises(UsageError, match="parameter 'value': .*Can only set"):
        App().method("a.b")(method)
