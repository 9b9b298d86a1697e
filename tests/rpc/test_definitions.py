"""The named schemas of a document: their names, twins for what clients send, docstrings, and pydantic's own."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import numpy
import pytest

from wslink.rpc.definitions import plain
from wslink.rpc.json_schema import Schemas, Undescribable

pytest.importorskip("pydantic")

import pydantic

T = TypeVar("T")
INTEGER, TEXT, NUMBER = ({"type": name} for name in ("integer", "string", "number"))
HERE = "TestsRpcTest_definitions"


def ref(name: str, **more: Any) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}", **more}


def map_of(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def document(*uses: tuple[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The schemas of some hints, and what they define."""
    schemas = Schemas()
    found = [schemas.of(hint, mode) for hint, mode in uses]
    definitions = schemas.definitions.finish()
    assert list(definitions) == sorted(definitions)
    return [plain(one) for one in found], {name: plain(one) for name, one in definitions.items()}


@dataclasses.dataclass
class Point:
    x: int


class Left:
    @dataclasses.dataclass
    class Point:
        y: float


def made() -> Any:
    @dataclasses.dataclass
    class Point:
        z: str

    return Point


def test_classes_of_one_name_are_told_by_where_they_stand() -> None:
    kinds = (Point, Left.Point, made(), made(), made())
    names = [f"{HERE}{name}" for name in ("Point", "LeftPoint", "MadePoint", "MadePoint2", "MadePoint3")]
    found, definitions = document(*((kind, "output") for kind in kinds))
    assert found == [ref(name) for name in names]
    third = map_of(["z"], z=TEXT)
    assert definitions == {
        names[0]: map_of(["x"], x=INTEGER),
        names[1]: map_of(["y"], y=NUMBER),
        **dict.fromkeys(names[2:], third),
    }
    assert document((Point, "output"), (Point, "output"))[1] == {"Point": map_of(["x"], x=INTEGER)}


@dataclasses.dataclass
class Pair(Generic[T]):
    first: T
    second: list[T]


def test_a_generic_class_is_named_by_what_it_holds() -> None:
    found, definitions = document((Pair[int], "output"), (Pair[list[str]], "output"), (Pair, "output"))
    assert found == [ref("PairInt"), ref("PairList"), ref("Pair")]
    texts = {"type": "array", "items": TEXT}
    assert definitions == {
        "PairInt": map_of(["first", "second"], first=INTEGER, second={"type": "array", "items": INTEGER}),
        "PairList": map_of(["first", "second"], first=texts, second={"type": "array", "items": texts}),
        "Pair": map_of(["first", "second"], first={}, second={"type": "array", "items": {}}),
    }
    assert document((Pair[int | None], "output"))[0][0] in (ref("PairIntNone"), ref("PairUnion"))  # Python 3.14


@dataclasses.dataclass
class Inner:
    a: int = 1


@dataclasses.dataclass
class Outer:
    inner: Inner


@dataclasses.dataclass
class Outermost:
    outers: list[Outer]


@dataclasses.dataclass
class Node:
    value: int
    nodes: list[Node]


def test_what_clients_send_has_a_name_of_its_own_where_it_differs() -> None:
    uses = [(kind, mode) for kind in (Outermost, Node) for mode in ("input", "output")]
    found, definitions = document(*uses)
    assert found == [ref("OutermostInput"), ref("Outermost"), ref("Node"), ref("Node")]
    assert definitions == {
        "Inner": map_of(["a"], a=INTEGER),
        "InnerInput": map_of([], a={**INTEGER, "default": 1}),
        "Node": map_of(["value", "nodes"], value=INTEGER, nodes={"type": "array", "items": ref("Node")}),
        "Outer": map_of(["inner"], inner=ref("Inner")),
        "OuterInput": map_of(["inner"], inner=ref("InnerInput")),
        "Outermost": map_of(["outers"], outers={"type": "array", "items": ref("Outer")}),
        "OutermostInput": map_of(["outers"], outers={"type": "array", "items": ref("OuterInput")}),
    }
    assert document((Inner, "input")) == ([ref("Inner")], {"Inner": map_of([], a={**INTEGER, "default": 1})})


@dataclasses.dataclass
class Documented:
    """What it is.

    And more
      of it.
    """

    x: int


class Undocumented(Documented):
    pass


class Side(enum.Enum):
    LEFT = "left"
    RIGHT = 2


class Tile(TypedDict):
    """A tile."""

    row: int


class Bare(TypedDict):
    row: int


class Row(NamedTuple):
    x: int


class Struct(msgspec.Struct):
    x: int


class Mode(enum.IntEnum):
    """How."""

    FAST = 1


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (Documented, {"description": "What it is.\n\nAnd more\n  of it.", **map_of(["x"], x=INTEGER)}),
        (Undocumented, map_of(["x"], x=INTEGER)),
        (Tile, {"description": "A tile.", **map_of(["row"], row=INTEGER)}),
        (Bare, map_of(["row"], row=INTEGER)),
        (Struct, map_of(["x"], x=INTEGER)),
        (
            Row,
            {"type": "array", "prefixItems": [INTEGER], "items": False, "minItems": 1, "x-names": ["x"]},
        ),
        (Side, {"enum": ["left", 2]}),
        (Mode, {"description": "How.", "enum": [1]}),
    ],
)
def test_a_definition_has_the_docstring_that_its_class_was_given(kind: Any, schema: Any) -> None:
    definitions = document((kind, "output"))[1]
    assert definitions == {kind.__name__: schema}
    assert list(definitions[kind.__name__]) == list(schema)


class Handle:
    """Something that no client has."""


@dataclasses.dataclass
class Holder:
    handle: Handle


class Odd(enum.Enum):
    PAIR = (1, 2)


MAKE = "has no form that can be sent: make it a dataclass, or name what is sent in its place"
VALUES = "its values are text, numbers, booleans or None"


@pytest.mark.parametrize(
    ("hint", "why"),
    [
        (Holder, f"Handle {MAKE}"),
        (list[Handle], f"Handle {MAKE}"),
        (Callable[[int], int], f"collections.abc.Callable[[int], int] {MAKE}"),
        (typing.ClassVar, "typing.ClassVar has no form that can be sent"),
        (numpy.complex64, "complex64 has no plain form: use a number, text or an array"),
        (numpy.floating, "floating has no plain form: use a number, text or an array"),
        (numpy.datetime64, "datetime64 has no plain form: use a number, text or an array"),
        (Odd, f"an Enum or Literal of [(1, 2)]: {VALUES}"),
        (Literal[b"x"], f"an Enum or Literal of [b'x']: {VALUES}"),
        (Literal[b"x" * 200], f"an Enum or Literal of [b'{'x' * 97}: {VALUES}"),
    ],
    ids=str,
)
def test_what_has_no_schema_is_said_and_defines_nothing(hint: Any, why: str) -> None:
    schemas = Schemas()
    for _ in range(2):
        with pytest.raises(Undescribable) as caught:
            schemas.of(hint, "input")
        assert str(caught.value) == why
    assert schemas.definitions.finish() == {}


class Item(pydantic.BaseModel):
    """Something in a list."""

    title: str
    count: int = 1


class Tree(pydantic.BaseModel):
    item: Item
    children: list[Tree] = []


class Shelf(pydantic.BaseModel):
    item: Item


@dataclasses.dataclass
class Box:
    items: list[Item]


def test_a_model_of_pydantics_says_its_own_schema() -> None:
    found, definitions = document((Tree, "input"), (Tree, "output"), (Shelf, "output"))
    assert found == [ref("TreeInput"), ref("Tree"), ref("Shelf")]
    count = {"default": 1, "type": "integer"}
    item = {"description": "Something in a list.", "type": "object", "properties": {"title": TEXT, "count": count}}
    children = {"default": [], "type": "array"}
    assert definitions == {
        "Item": {**item, "required": ["title", "count"]},
        "ItemInput": {**item, "required": ["title"]},
        "Shelf": map_of(["item"], item=ref("Item")),
        "Tree": map_of(["item", "children"], item=ref("Item"), children={**children, "items": ref("Tree")}),
        "TreeInput": map_of(["item"], item=ref("ItemInput"), children={**children, "items": ref("TreeInput")}),
    }


def test_a_class_gives_way_to_a_model_of_its_name() -> None:
    """Models refer to others by their names."""

    def own() -> Any:
        return dataclasses.make_dataclass("Item", [("a", int)], namespace={"__module__": "own"})

    kind = own()
    kind.__module__, kind.__qualname__ = "own.items", "Item"
    found, definitions = document((Shelf, "output"), (kind, "output"))
    assert found == [ref("Shelf"), ref("OwnItemsItem")]
    assert definitions["OwnItemsItem"] == map_of(["a"], a=INTEGER)
    assert definitions["Item"]["required"] == ["title", "count"]


def test_references_are_the_same_where_their_classes_are() -> None:
    schemas = Schemas()
    first, again = schemas.of(Point, "output"), schemas.of(Point, "output")
    other, sent = schemas.of(Node, "output"), schemas.of(Point, "input")
    assert first == again
    assert not first != again  # noqa: SIM202
    assert first != other
    assert first != sent
    assert first != {"$ref": ""}
    assert document((Point | None, "output"), (Pair[Point] | Point, "output"))[0] == [
        {"anyOf": [ref("Point"), {"type": "null"}]},
        {"anyOf": [ref("PairPoint"), ref("Point")]},
    ]


@dataclasses.dataclass
class Told:
    inner: Inner = dataclasses.field(default_factory=Inner)
    side: Side = Side.LEFT


def test_a_reference_has_the_default_beside_it() -> None:
    definitions = document((Told, "input"))[1]
    assert definitions["Told"] == map_of([], inner=ref("Inner"), side=ref("Side", default="left"))


@attrs.define
class Given:
    a: int
    _b: str = "b"
    c: list[int] = attrs.Factory(list)
    d: int = attrs.field(default=3, init=False)
    e: object = attrs.Factory(Handle)


class Renamed(msgspec.Struct, omit_defaults=True):
    first: int = msgspec.field(name="firstOne")
    second: int = 2
    third: list[int] = []
    fourth: object = msgspec.field(default_factory=Handle)


def test_what_is_sent_of_classes_of_other_libraries() -> None:
    integers = {"type": "array", "items": INTEGER}
    assert document((Given, "input"), (Renamed, "input"))[1] == {
        "Given": map_of(["a"], a=INTEGER, _b={**TEXT, "default": "b"}, c={**integers, "default": []}, e={}),
        "Renamed": map_of(
            ["firstOne"],
            firstOne=INTEGER,
            second={**INTEGER, "default": 2},
            third={**integers, "default": []},
            fourth={},
        ),
    }
    assert document((Given, "output"), (Renamed, "output"))[1] == {
        "Given": map_of(["a", "_b", "c", "d", "e"], a=INTEGER, _b=TEXT, c=integers, d=INTEGER, e={}),
        "Renamed": map_of(
            ["firstOne"],
            firstOne=INTEGER,
            second={**INTEGER, "default": 2},
            third={**integers, "default": []},
            fourth={},
        ),
    }
