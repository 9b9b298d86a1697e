"""The table of types in docs/contract.md: each is carried and described, or refused with a sentence."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import typing
import uuid
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import numpy
import pydantic
import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Array, CallError, Int64

UTC = datetime.timezone.utc


class Kind(enum.Enum):
    ROCK = "rock"
    SAND = "sand"


@dataclasses.dataclass
class Data:
    a: int
    b: list[int] = dataclasses.field(default_factory=list)


class Typed(TypedDict):
    a: int


@attrs.define
class Attrs:
    a: int
    b: str = "b"


class Struct(msgspec.Struct):
    a: int
    b: str = "b"


class Model(pydantic.BaseModel):
    a: int
    when: datetime.date = datetime.date(2024, 1, 2)


class Pair(NamedTuple):
    a: int
    b: str = "b"


IDENTITY = "00000000-0000-0000-0000-000000000001"
WIDE = {"type": "integer", "x-wslink": "integer64", "minimum": -(2**63), "maximum": 2**63 - 1}
BY_NUMBER = {"type": "object", "additionalProperties": {"type": "string"}, "x-keys": "integer"}
WHEN = datetime.datetime(2024, 1, 2, 3, tzinfo=UTC)
ROWS: list[tuple[Any, Any, Any, Any, Any]] = [
    # hint, what a client sends, what the method gets, what comes back, the schema
    (int, 3, 3, 3, {"type": "integer"}),
    (float, 3, 3.0, 3.0, {"type": "number"}),
    (Int64, 2**60, 2**60, 2**60, WIDE),
    (bytes, b"x", b"x", b"x", {"x-wslink": "bytes"}),
    (Literal["a", 1], "a", "a", "a", {"enum": ["a", 1]}),
    (Kind, "rock", Kind.ROCK, "rock", {"enum": ["rock", "sand"]}),
    (set[int], [1, 1], {1}, [1], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    (frozenset[int], [1], frozenset((1,)), [1], {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
    (dict[int, str], {1: "a"}, {1: "a"}, {1: "a"}, BY_NUMBER),
    (datetime.datetime, "2024-01-02T03:00:00Z", WHEN, WHEN, {"type": "string", "format": "date-time"}),
    (datetime.date, "2024-01-02", datetime.date(2024, 1, 2), "2024-01-02", {"type": "string", "format": "date"}),
    (datetime.timedelta, "PT1.5S", datetime.timedelta(seconds=1.5), "PT1.5S", {"type": "string", "format": "duration"}),
    (uuid.UUID, IDENTITY, uuid.UUID(int=1), IDENTITY, {"type": "string", "format": "uuid"}),
    (decimal.Decimal, "1.5", decimal.Decimal("1.5"), "1.5", {"type": "string", "format": "decimal"}),
    (Data, {"a": 1}, Data(1), {"a": 1, "b": []}, None),
    (Typed, {"a": 1}, {"a": 1}, {"a": 1}, None),
    (Attrs, {"a": 1}, Attrs(1), {"a": 1, "b": "b"}, None),
    (Struct, {"a": 1}, Struct(1), {"a": 1, "b": "b"}, None),
    (Model, {"a": 1}, Model(a=1), {"a": 1, "when": "2024-01-02"}, None),
    (Pair, [1], Pair(1), [1, "b"], None),
    (numpy.float32, 1.5, numpy.float32(1.5), 1.5, {"type": "number"}),
    (Data | None, None, None, None, None),
    (Annotated[int, msgspec.Meta(ge=0)], 3, 3, 3, {"type": "integer", "minimum": 0}),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
async def test_a_type_is_carried_and_described(app: App, serve: Serve, row: tuple[Any, Any, Any, Any, Any]) -> None:
    hint, sent, gets, back, schema = row
    arrived: list[Any] = []

    def echo(value: Any) -> Any:
        arrived.append(value)
        return value

    echo.__annotations__.update({"value": hint, "return": hint})
    app.method("a.echo")(echo)
    document = app.describe()
    for one in (
        document["methods"]["a.echo"]["params"]["properties"]["value"],
        document["methods"]["a.echo"]["result"],
    ):
        resolved = document["$defs"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        assert resolved == schema or (schema is None and set(resolved) & {"properties", "prefixItems", "anyOf"})
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        assert await link.call("a.echo", sent) == back
    assert arrived == [gets]
    assert type(arrived[0]) is type(gets)


async def test_arrays_are_carried_and_described(app: App, serve: Serve) -> None:
    hint = Annotated[numpy.ndarray, Array("<f4", "n", 2)]

    def echo(value: Any) -> Any:
        return value

    echo.__annotations__.update({"value": hint, "return": hint})
    app.method("a.echo")(echo)
    schema = {"x-wslink": "ndarray", "dtype": ["<f4"], "shape": ["n", 2]}
    assert app.describe()["methods"]["a.echo"]["result"] == schema
    async with wslink.connect(await serve(app, debug=True), secret="secret") as link:
        assert (await link.call("a.echo", numpy.ones((3, 2), "f4"))).shape == (3, 2)


class Other:
    pass


REFUSED = [
    (Other, "make it a dataclass, or name what is sent in its place"),
    (complex, "has no form that can be sent"),
    (list[Other], "Other has no form"),
    (dict[str, Other], "Other has no form"),
    (typing.Callable[[], int], "has no form"),
    (numpy.datetime64, "datetime64 has no plain form: use a number, text or an array"),
]


@pytest.mark.parametrize(("hint", "why"), REFUSED, ids=lambda one: str(one)[:30])
def test_a_result_that_is_refused_says_what_to_do(
    app: App, caplog: pytest.LogCaptureFixture, hint: Any, why: str
) -> None:
    def method() -> Any: ...

    method.__annotations__["return"] = hint
    app.method("a.refused")(method)
    assert "method a.refused cannot be described: its result: " in caplog.text
    assert why in caplog.text


async def test_a_value_that_is_refused_says_what_it_is(app: App, serve: Serve) -> None:
    app.method("a.refused")(lambda: Other())
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError) as error:
            await link.call("a.refused")
        assert error.value.code == -32002


def test_a_program_that_serves_loads_no_tools() -> None:
    import subprocess
    import sys

    program = (
        "import sys, wslink; wslink.App(); "
        "print([m for m in sys.modules if m.startswith(('wslink.contract', 'wslink.tools'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_methods_of_the_compatibility_api_are_untyped() -> None:
    from wslink import register
    from wslink.contract.ts_module import Module
    from wslink.websocket import LinkProtocol

    class Old(LinkProtocol):
        @register("old.method")
        def method(self, a: int) -> int:
            return a

    app = App(secret="secret")
    app.include(Old())
    assert app.describe()["methods"]["old.method"] == {"params": {}, "result": {}}
    assert "method(args?: Untyped, options?: CallOptions): Promise<unknown>;" in Module(app.describe()).text()
