"""What a method takes and gives, as the contract says it, and what it says of what it cannot describe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypedDict

import pytest

from wslink import Call, MethodError
from wslink.rpc.definitions import plain
from wslink.rpc.description import describe_call, describe_errors, problems, result_hint
from wslink.rpc.json_schema import Schemas
from wslink.rpc.schema import Signature

pytest.importorskip("typing_extensions")

from typing_extensions import NotRequired, Required, Unpack

INTEGER, TEXT, NUMBER, NULL = ({"type": name} for name in ("integer", "string", "number", "null"))
NO_FORM = "Handle has no form that can be sent: make it a dataclass, or name what is sent in its place"


class Handle:
    """Something that no client has."""


class Options(TypedDict, total=False):
    deep: Required[bool]
    depth: int
    handle: Handle


class Strict(TypedDict):
    first: int
    second: NotRequired[int]


class Sent(TypedDict):
    """What has the same form in both directions."""

    a: int


def one(a: int, /, b: str = "x", *, c: float, d: bool = True) -> int: ...
def rest(first: int, *values: float) -> str: ...
def more(**values: int) -> None: ...
def untyped(a, b=None, *c, **d): ...  # type: ignore[no-untyped-def]
def options(a: int, **values: Unpack[Options]) -> None: ...
def strict(**values: Unpack[Strict]) -> None: ...
def handle(a: Handle, b: Handle | None = None, *c: Handle, **d: Handle) -> Handle: ...
def lost() -> Missing: ...  # type: ignore[name-defined]  # noqa: F821
async def waited() -> int: ...
def awaitable() -> Awaitable[int]: ...
def coroutine() -> Coroutine[Any, Any, str]: ...
def bare_awaitable() -> Awaitable: ...  # type: ignore[type-arg]
def called(call: Call, a: int) -> None: ...
def generator(n: int) -> Iterator[int]:
    yield n


async def streamed(parts: AsyncIterator[str], n: int = 1) -> AsyncIterator[int]:
    yield n


async def lost_items() -> AsyncIterator[Missing]:  # type: ignore[name-defined]  # noqa: F821
    yield None


async def handles(parts: AsyncIterator[Handle]) -> AsyncIterator[Handle]:
    yield Handle()


def params(required: list[str], additional: Any = False, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": additional}
    return {**schema, "required": required} if required else schema


COMMENT = {"$comment": NO_FORM}
DESCRIBED: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (
        one,
        {
            "params": params(
                ["a", "c"],
                a=INTEGER,
                b={**TEXT, "default": "x"},
                c=NUMBER,
                d={"type": "boolean", "default": True},
            ),
            "positional": ["a", "b"],
            "positionalOnly": 1,
            "result": INTEGER,
        },
    ),
    (
        rest,
        {
            "params": params(["first"], first=INTEGER, values={"type": "array", "items": NUMBER}),
            "positional": ["first"],
            "rest": "values",
            "result": TEXT,
        },
    ),
    (more, {"params": params([], INTEGER), "more": "values", "result": NULL}),
    (
        untyped,
        {
            "params": params(["a"], {}, a={}, b={"default": None}, c={"type": "array", "items": {}}),
            "positional": ["a", "b"],
            "rest": "c",
            "more": "d",
            "result": {},
        },
    ),
    (
        options,
        {
            "params": params(["a", "deep"], a=INTEGER, deep={"type": "boolean"}, depth=INTEGER, handle=COMMENT),
            "positional": ["a"],
            "result": NULL,
        },
    ),
    (strict, {"params": params(["first"], first=INTEGER, second=INTEGER), "result": NULL}),
    (
        handle,
        {
            "params": params(["a"], COMMENT, a=COMMENT, c={"type": "array", "items": COMMENT}),
            "positional": ["a", "b"],
            "rest": "c",
            "more": "d",
            "result": COMMENT,
        },
    ),
    (lost, {"params": params([]), "result": {"$comment": "not described"}}),
    (waited, {"params": params([]), "result": INTEGER}),
    (awaitable, {"params": params([]), "result": INTEGER}),
    (coroutine, {"params": params([]), "result": TEXT}),
    (bare_awaitable, {"params": params([]), "result": {}}),
    (called, {"params": params(["a"], a=INTEGER), "positional": ["a"], "result": NULL}),
    (generator, {"params": params(["n"], n=INTEGER), "positional": ["n"], "stream": INTEGER}),
    (
        streamed,
        {
            "params": params(["parts"], parts={"x-wslink": "stream", "items": TEXT}, n={**INTEGER, "default": 1}),
            "positional": ["parts", "n"],
            "stream": INTEGER,
        },
    ),
    (lost_items, {"params": params([]), "stream": {"$comment": "not described"}}),
    (handles, {"params": params(["parts"], parts=COMMENT), "positional": ["parts"], "stream": COMMENT}),
]


@pytest.mark.parametrize(("function", "described"), DESCRIBED, ids=lambda given: getattr(given, "__name__", ""))
def test_a_method_is_described(function: Callable[..., Any], described: dict[str, Any]) -> None:
    schemas = Schemas()
    assert plain(describe_call(Signature("a.b", function), schemas)) == described
    schemas.definitions.finish()


def test_a_page_is_sent_the_arguments_and_sends_the_result() -> None:
    from tests.rpc.test_definitions import Inner, Outer, map_of, ref

    def page(given: Outer) -> Inner: ...

    page.__annotations__ = {"given": Outer, "return": Inner}
    for at_page, given, back in ((True, "Inner", "InnerInput"), (False, "InnerInput", "Inner")):
        schemas = Schemas()
        described = describe_call(Signature("a.b", page), schemas, at_page)
        other = describe_call(Signature("a.c", page), schemas, not at_page)
        definitions = plain(schemas.definitions.finish())
        outer = "Outer" if at_page else "OuterInput"
        assert plain(described)["params"]["properties"] == {"given": ref(outer)}
        assert plain(described)["result"] == ref(back)
        assert definitions[outer] == map_of(["inner"], inner=ref(given))
        assert plain(other)["result"] == ref(given)


class Base(MethodError):
    code = 3
    data: int


class First(Base):
    """Why.

    And how.
    """

    code = 1


class Second(MethodError):
    code = 2
    data: Handle


class Third(MethodError):
    """Without data."""

    code = 4


def test_errors_are_described_in_the_order_of_their_codes() -> None:
    assert plain({"errors": describe_errors((Third, Base, Second, First), Schemas())})["errors"] == [
        {"name": "First", "code": 1, "description": "Why.\n\nAnd how.", "data": INTEGER},
        {"name": "Second", "code": 2, "data": COMMENT},
        {"name": "Base", "code": 3, "data": INTEGER},
        {"name": "Third", "code": 4, "description": "Without data."},
    ]


RESULT_LOST = "the hint of its result cannot be resolved; import what it names at run time, too"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (one, []),
        (untyped, []),
        (handle, [f"parameter 'a': {NO_FORM}", f"parameter 'c': {NO_FORM}", f"parameter 'd': {NO_FORM}"]),
        (handles, [f"parameter 'parts': {NO_FORM}", f"its result: {NO_FORM}"]),
        (lost, [RESULT_LOST]),
        (lost_items, [RESULT_LOST]),
        (streamed, []),
    ],
    ids=lambda given: getattr(given, "__name__", ""),
)
def test_what_cannot_be_described_is_named(function: Callable[..., Any], said: list[str]) -> None:
    found = list(problems(Signature("a.b", function)))
    assert found[: len(said)] == said
    assert found[len(said) :] == ([f"its result: {NO_FORM}"] if function is handle else [])


def test_the_result_of_an_async_function_is_what_it_gives() -> None:
    for function, hint in ((waited, int), (awaitable, int), (coroutine, str), (bare_awaitable, Any), (untyped, Any)):
        assert result_hint(Signature("a.b", function)) is hint
