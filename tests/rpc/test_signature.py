"""Arguments bound to the parameters of a method, and the sentence for those that are not."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, TypedDict

import msgspec
import numpy
import pytest

from wslink import Array, Call, InvalidParams, UsageError
from wslink.rpc.schema import Signature
from wslink.rpc.streaming import Serving
from wslink.rpc.streams import Inlet, Streams
from wslink.wire.extensions import STREAM_KEY, Extension

pytest.importorskip("typing_extensions")

from typing_extensions import Unpack


class Options(TypedDict, total=False):
    deep: bool


Points = Annotated[numpy.ndarray, Array("<f4", "n")]


def plain(a: int, b: str = "b") -> None: ...
def keyword(a: int, *, b: str, c: int = 3) -> None: ...
def rest(a: int, b: int = 2, *values: int, c: int = 3) -> None: ...
def only(a: int, b: int = 2, /, c: int = 3, *values: int) -> None: ...
def more(a: int = 1, **values: int) -> None: ...
def options(**values: Unpack[Options]) -> None: ...
def called(first: Call, a: int, *, second: Call | None = None) -> None: ...
def called_rest(a: int, call: Call, *values: int) -> None: ...
def points(points: Points, *more: Points) -> None: ...
def nothing() -> None: ...
def untyped(a, b=2): ...  # type: ignore[no-untyped-def]
async def streams(parts: AsyncIterator[int], other: AsyncIterator[str] | None = None, *, n: int = 1) -> None: ...


def call_of() -> Call:
    return Call(None, "a.b", None, "1")  # type: ignore[arg-type]


CALL = call_of()
BOUND: list[tuple[Callable[..., Any], list[Any], dict[str, Any], tuple[list[Any], dict[str, Any]]]] = [
    (plain, [1], {}, ([1, "b"], {})),
    (plain, [1, "x"], {}, ([1, "x"], {})),
    (plain, [1], {"b": "x"}, ([], {"a": 1, "b": "x"})),
    (plain, [], {"a": 1}, ([], {"a": 1, "b": "b"})),
    (keyword, [1], {"b": "x"}, ([], {"a": 1, "b": "x", "c": 3})),
    (rest, [1], {}, ([1, 2], {})),
    (rest, [1, 2, 3, 4], {}, ([1, 2, 3, 4], {"c": 3})),
    (rest, [1, 2, 3], {"c": 4}, ([1, 2, 3], {"c": 4})),
    (rest, [1], {"c": 4}, ([], {"a": 1, "b": 2, "c": 4})),
    (only, [1], {}, ([1, 2, 3], {})),
    (only, [1], {"c": 4}, ([1, 2, 4], {})),
    (only, [1, 2, 3, 4], {}, ([1, 2, 3, 4], {})),
    (more, [2], {}, ([2], {})),
    (more, [], {"x": 5, "y": 6}, ([], {"a": 1, "x": 5, "y": 6})),
    (options, [], {"deep": True}, ([], {"deep": True})),
    (called, [1], {}, ([CALL, 1], {"second": CALL})),
    (called, [], {"a": 1}, ([], {"first": CALL, "a": 1, "second": CALL})),
    (called_rest, [1], {}, ([1, CALL], {})),
    (called_rest, [1, 2], {}, ([1, CALL, 2], {})),
    (nothing, [], {}, ([], {})),
    (untyped, ["x"], {}, (["x", 2], {})),
]


@pytest.mark.parametrize(("function", "args", "kwargs", "bound"), BOUND)
def test_arguments_find_their_places(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], bound: tuple[list[Any], dict[str, Any]]
) -> None:
    positional, named = Signature("a.b", function).bind(args, kwargs, CALL)
    assert (list(positional), named) == bound
    assert not CALL.lengths


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "why"),
    [
        (plain, [1, "b", 3], {}, "takes at most 2 positional arguments, got 3; its arguments: a, b"),
        (plain, [], {}, "missing argument `a`; its arguments: a, b"),
        (plain, ["x"], {}, "Expected `int`, got `str` - at `a`; its arguments: a, b"),
        (plain, [1], {"a": 2}, "argument 'a' was given twice; its arguments: a, b"),
        (plain, [1], {"c": 2}, "unknown argument 'c'; its arguments: a, b"),
        (keyword, [1], {}, "missing argument `b`; its arguments: a, b, c"),
        (keyword, [1, "x"], {}, "takes at most 1 positional arguments, got 2; its arguments: a, b, c"),
        (rest, [1, 2, "x"], {}, "Expected `int`, got `str` - at `values[0]`; its arguments: a, b, c, *values"),
        (rest, [1], {"values": 2}, "unknown argument 'values'; its arguments: a, b, c, *values"),
        (more, [], {"x": "y"}, "Expected `int`, got `str` - at `values[...]`; its arguments: a, **values"),
        (options, [], {"deep": 3}, "Expected `bool`, got `int` - at `values.deep`; its arguments: **values"),
        (called, [1], {"first": None}, "unknown argument 'first'; its arguments: a"),
        (nothing, [1], {}, "takes at most 0 positional arguments, got 1; its arguments: none"),
        (nothing, [], {"a": 1}, "unknown argument 'a'; its arguments: none"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_in_a_sentence(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], why: str
) -> None:
    with pytest.raises(InvalidParams) as caught:
        Signature("a.b", function).bind(args, kwargs, CALL)
    assert (caught.value.message, caught.value.data, caught.value.code) == (f"a.b: {why}", "a.b", -32602)


@pytest.mark.parametrize("args", [([3], {}), ([3, 3], {}), ([], {"points": 3})], ids=str)
def test_a_call_knows_the_lengths_of_its_arrays(args: Any) -> None:
    def array(length: int) -> Any:
        return numpy.zeros(length, "f4")

    call = call_of()
    positional, named = [array(n) for n in args[0]], {name: array(n) for name, n in args[1].items()}
    Signature("a.b", points).bind(positional, named, call)
    assert dict(call.lengths) == {"n": 3}
    again = call_of()
    Signature("a.b", points).bind([array(4)], {}, again)
    assert dict(again.lengths) == {"n": 4}


def test_what_is_known_of_a_method() -> None:
    known = Signature("a.b", streams)
    assert [one.name for one in known.parameters] == ["parts", "other", "n"]
    assert known.stream_parameters == {"parts": int, "other": str}
    assert (known.streams, known.item, known.plain_types, known.lost) == (False, None, None, ())
    assert [Signature("a.b", one).plain_types for one in (plain, nothing, untyped, keyword, rest, more, called)] == [
        (int, str),
        (),
        None,
        None,
        None,
        None,
        None,
    ]
    assert [one.name for one in Signature("a.b", called).parameters] == ["a"]
    assert [one.name for one in Signature("a.b", functools.partial(plain, b="x")).parameters] == ["a"]
    assert [one.name for one in Signature("a.b", functools.partial(plain, 1)).parameters] == ["b"]


def several(*calls: Call) -> None: ...
def lost(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def underscores(__a: int) -> None: ...
def unchecked(a: int, *values: Callable[[int], int]) -> None: ...


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (several, "parameter 'calls' cannot be several calls"),
        (
            lost,
            "the type hint of parameter 'a' cannot be resolved; import what it names at run time, too",
        ),
        (underscores, "parameter '__a' begins with two underscores"),
        (unchecked, "parameter 'values': no client can send a Callable"),
    ],
)
def test_a_signature_that_cannot_be_served_is_refused(function: Callable[..., Any], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Signature("a.b", function)
    assert str(caught.value) == f"method 'a.b': {why}"


class Port:
    """Carries streams."""

    has_room = True

    def __init__(self) -> None:
        self.credits: list[Any] = []

    def encoded_item(self, items: Any) -> Any: ...
    def send_item(self, items: Any, lane: int | None, encoded: Any = None) -> None: ...
    def send_credit(self, items: Any) -> None:
        self.credits.append(items)

    async def room_again(self) -> None: ...


async def test_streams_are_opened_where_they_stand() -> None:
    for args, kwargs in (([{"stream": 0}], {}), ([], {"parts": {"stream": 0}})):
        port, call = Port(), call_of()
        table = Streams(port, 8, 1000)
        call.streams = Serving(table.open("1"), None, {})  # type: ignore[arg-type]
        args = [_marker(one) for one in args]
        kwargs = {name: _marker(one) for name, one in kwargs.items()}
        positional, named = Signature("a.b", streams).bind_streams(args, kwargs, call)
        found = (named.get("parts") or positional[0], named.get("n", 1))
        assert isinstance(found[0], Inlet)
        assert (found[1], table.reading, len(port.credits)) == (1, 1, 1)
        inlet = found[0]
        inlet.put(0, 3, 1)
        inlet.put(1, "x", 1)
        assert await anext(inlet) == 3
        with pytest.raises(InvalidParams) as caught:
            await anext(inlet)
        why = "item 1 of 'parts': Expected `int`, got `str`; its arguments: parts, other, n"
        assert caught.value.message == f"a.b: {why}"
    with pytest.raises(InvalidParams) as caught:
        Signature("a.b", streams).bind_streams([_marker({"stream": 0})], {}, call_of())
    assert caught.value.message == "a.b: 'parts' is a stream, and the client did not announce 'stream'"
    assert caught.value.data == "a.b"


def _marker(value: Any) -> Any:
    return Extension(STREAM_KEY, msgspec.msgpack.encode(value["stream"]))
