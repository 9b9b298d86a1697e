"""The JSON Schema of each kind of hint, and what is said of parameters, streams and errors (docs/contract.md)."""

from __future__ import annotations

import collections
import datetime
import enum
import json
from collections import abc
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict, Union, cast

import msgspec
import numpy
import numpy.typing as npt
import pytest
from typing_extensions import Unpack

from tests.conftest import Serve
from wslink import App, Array, Call, CallError, MethodError, connect


class Kind(enum.Enum):
    ROCK = "rock"
    SAND = "sand"


class Pair(NamedTuple):
    x: int
    y: float = 2.5


class Tagged(msgspec.Struct, tag="t", array_like=True):
    a: int
    b: str = "b"
    c: int = 3


class Keyed(msgspec.Struct, tag_field="kind", tag="k"):
    a: int


INTEGER, TEXT, NUMBER, NULL = ({"type": name} for name in ("integer", "string", "number", "null"))
INTEGERS = {"type": "array", "items": INTEGER}
COUNTS = {"type": "object", "additionalProperties": INTEGER}
BYTES = {"x-wslink": "bytes"}
ARRAY = {"x-wslink": "ndarray"}
PAIR = {"type": "array", "prefixItems": [INTEGER, NUMBER], "items": False, "x-names": ["x", "y"]}
TAGGED = {
    "type": "array",
    "prefixItems": [{"const": "t"}, INTEGER, TEXT, INTEGER],
    "items": False,
    "x-names": ["type", "a", "b", "c"],
}
KEYED = {"type": "object", "properties": {"kind": {"const": "k"}, "a": INTEGER}, "required": ["kind", "a"]}
Name = NewType("Name", str)
SCHEMAS: list[tuple[Any, Any]] = [
    (Any, {}),
    (None, NULL),
    (int | None, {"anyOf": [INTEGER, NULL]}),
    (int | str | None, {"anyOf": [INTEGER, TEXT, NULL]}),
    (Union[Name, str], TEXT),  # noqa: UP007
    (Literal["a", 1, None], {"enum": ["a", 1, None]}),
    (Name, TEXT),
    (bytearray, BYTES),
    (memoryview, BYTES),
    (datetime.time, {"type": "string", "format": "time"}),
    (tuple[int, str], {"type": "array", "prefixItems": [INTEGER, TEXT], "items": False, "minItems": 2}),
    (tuple[int, ...], INTEGERS),
    (tuple[()], {"type": "array", "items": False, "minItems": 0}),
    (abc.Sequence[int], INTEGERS),
    (collections.deque[int], INTEGERS),
    (list, {"type": "array"}),
    (set, {"type": "array", "uniqueItems": True}),
    (dict, {"type": "object"}),
    (abc.Mapping[str, int], COUNTS),
    (collections.OrderedDict[str, int], COUNTS),
    (collections.defaultdict[str, int], COUNTS),
    (collections.Counter[str], COUNTS),
    (dict[Kind, int], {**COUNTS, "propertyNames": {"$ref": "#/$defs/Kind"}}),
    (numpy.float64, NUMBER),
    (numpy.int8, {**INTEGER, "minimum": -128, "maximum": 127}),
    (numpy.uint8, {**INTEGER, "minimum": 0, "maximum": 255}),
    (numpy.bool_, {"type": "boolean"}),
    (numpy.int64, {**INTEGER, "minimum": -(2**63), "maximum": 2**63 - 1, "x-wslink": "integer64"}),
    (numpy.uint64, {**INTEGER, "minimum": 0, "maximum": 2**64 - 1, "x-wslink": "integer64"}),
    (numpy.int32, {**INTEGER, "minimum": -(2**31), "maximum": 2**31 - 1}),
    (numpy.float16, NUMBER),
    (npt.NDArray[numpy.float32 | numpy.int8], {**ARRAY, "dtype": ["|i1", "<f4"]}),
    (npt.NDArray[Any], ARRAY),
    (npt.NDArray[numpy.generic], ARRAY),
    (dict[int, str], {"type": "object", "additionalProperties": TEXT, "x-keys": "integer"}),
    (dict[Literal["a"], int], {**COUNTS, "propertyNames": {"enum": ["a"]}}),
    (dict[Any, int], COUNTS),
    (abc.Set[int], {**INTEGERS, "uniqueItems": True}),
    (frozenset, {"type": "array", "uniqueItems": True}),
    (collections.deque, {"type": "array", "items": {}}),
    (collections.Counter, COUNTS),
    (collections.OrderedDict, {"type": "object", "additionalProperties": {}}),
    (numpy.ndarray, ARRAY),
    (npt.NDArray[numpy.floating], {**ARRAY, "dtype": ["<f2", "<f4", "<f8"]}),
    (npt.NDArray[numpy.integer], {**ARRAY, "dtype": ["|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"]}),
    (numpy.ndarray[tuple[int, Literal[3]], numpy.dtype[Any]], {**ARRAY, "shape": [None, 3]}),
    (numpy.ndarray[tuple[int], numpy.dtype[numpy.float32]], {**ARRAY, "dtype": ["<f4"], "shape": [None]}),
    (Annotated[numpy.ndarray, Array("<f4")], {**ARRAY, "dtype": ["<f4"]}),
    (Annotated[numpy.ndarray, Array("<f4", "n", 3)], {**ARRAY, "dtype": ["<f4"], "shape": ["n", 3]}),
    (
        Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="a+")],
        {**TEXT, "pattern": "a+", "minLength": 1, "maxLength": 3},
    ),
    (Annotated[list[int], msgspec.Meta(min_length=1, max_length=3)], {**INTEGERS, "minItems": 1, "maxItems": 3}),
    (
        Annotated[dict[str, int], msgspec.Meta(min_length=1, max_length=3)],
        {**COUNTS, "minProperties": 1, "maxProperties": 3},
    ),
    (
        Annotated[float, msgspec.Meta(gt=0, lt=1, multiple_of=0.5, title="T", description="D", examples=[0.5])],
        {
            **NUMBER,
            "exclusiveMinimum": 0,
            "exclusiveMaximum": 1,
            "multipleOf": 0.5,
            "title": "T",
            "description": "D",
            "examples": [0.5],
        },
    ),
    *(
        (Annotated[int, msgspec.Meta(**cast("Any", {word: value}))], {**INTEGER, name: value, "x-wslink": "integer64"})
        for word, name, value in (
            ("ge", "minimum", -(2**60)),
            ("le", "maximum", 2**60),
            ("gt", "exclusiveMinimum", 2**54),
            ("lt", "exclusiveMaximum", 2**54),
        )
    ),
    (Annotated[int, msgspec.Meta(le=2**53 - 1)], {**INTEGER, "maximum": 2**53 - 1}),
]


def described(app: App, hint: Any) -> tuple[Any, Any]:
    """What is said of it as a parameter and as a result."""

    def echo(value: Any) -> Any: ...

    echo.__annotations__.update({"value": hint, "return": hint})
    app.method("a.echo")(echo)
    document = app.describe()
    method = document["methods"]["a.echo"]
    found = (method["params"]["properties"]["value"], method["result"])
    whole = tuple(document["$defs"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one for one in found)
    return json.loads(json.dumps(whole[0])), json.loads(json.dumps(whole[1]))


@pytest.mark.parametrize(("hint", "schema"), SCHEMAS, ids=lambda one: str(one)[:60])
def test_a_hint_has_its_schema(app: App, hint: Any, schema: Any) -> None:
    assert described(app, hint) == (schema, schema)


@pytest.mark.parametrize(
    ("hint", "given", "back"),
    [
        (Pair, {**PAIR, "minItems": 1}, {**PAIR, "minItems": 2}),
        (Tagged, {**TAGGED, "minItems": 2}, {**TAGGED, "minItems": 4}),
        (Keyed, KEYED, KEYED),
    ],
)
def test_a_class_has_its_schemas(app: App, hint: Any, given: Any, back: Any) -> None:
    assert described(app, hint) == (given, back)


class Options(TypedDict, total=False):
    deep: bool
    depth: int


class Late(MethodError):
    code = 9


class Early(Late):
    """Said too early."""

    code = 2
    data: int


def test_all_kinds_of_parameters(app: App) -> None:
    @app.method("a.places", errors=[Late, Early])
    def places(call: Call, a: int, /, b: str = "x", *rest: float, c: bytes = b"", **more: int) -> None: ...

    @app.method("a.options")
    def options(**options: Unpack[Options]) -> None: ...

    @app.method("a.stream")
    async def stream(parts: AsyncIterator[int], parts_of: list[int]) -> AsyncIterator[str]:
        yield ""

    methods = app.describe()["methods"]
    assert methods["a.places"] == {
        "params": {
            "type": "object",
            "properties": {
                "a": INTEGER,
                "b": {**TEXT, "default": "x"},
                "rest": {"type": "array", "items": NUMBER},
                "c": BYTES,
            },
            "additionalProperties": INTEGER,
            "required": ["a"],
        },
        "positional": ["a", "b"],
        "positionalOnly": 1,
        "rest": "rest",
        "more": "more",
        "result": NULL,
        "errors": [
            {"name": "Early", "code": 2, "description": "Said too early.", "data": INTEGER},
            {"name": "Late", "code": 9},
        ],
    }
    assert methods["a.options"] == {
        "params": {
            "type": "object",
            "properties": {"deep": {"type": "boolean"}, "depth": INTEGER},
            "additionalProperties": False,
        },
        "result": NULL,
    }
    assert methods["a.stream"] == {
        "params": {
            "type": "object",
            "properties": {"parts": {"x-wslink": "stream", "items": INTEGER}, "parts_of": INTEGERS},
            "additionalProperties": False,
            "required": ["parts", "parts_of"],
        },
        "positional": ["parts", "parts_of"],
        "stream": TEXT,
    }


async def test_options_by_name_are_checked(app: App, serve: Serve) -> None:
    @app.method("a.options")
    def options(**options: Unpack[Options]) -> Any:
        return options

    async with connect(await serve(app), secret="secret") as link:
        assert await link.call("a.options", deep=True, depth=2) == {"deep": True, "depth": 2}
        with pytest.raises(CallError, match="depth"):
            await link.call("a.options", depth="deep")


def test_hints_that_cannot_be_resolved_are_not_described(app: App) -> None:
    @app.method("a.stream")
    async def stream() -> AsyncIterator[Missing]:  # type: ignore[name-defined]  # noqa: F821
        yield None

    assert app.describe()["methods"]["a.stream"]["stream"] == {"$comment": "not described"}
