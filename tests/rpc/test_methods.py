"""Methods as they are registered: their defaults, what they refuse, and the table that they stand in."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from wslink import MethodError, UsageError
from wslink.rpc.methods import Method, Methods, run_of


def plain(a: int = 1) -> int:
    """Add.

    One.
    """
    return a + 1


async def later() -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def streamed() -> AsyncIterator[int]:
    yield 1


def blocking(parts: AsyncIterator[int]) -> None: ...


def blocking_generator(parts: AsyncIterator[int]) -> Iterator[int]:
    yield 1


async def taking(parts: AsyncIterator[int]) -> None: ...


class First(MethodError):
    code = 3


class Same(MethodError):
    code = 3


def named_first(code_: int) -> Any:
    class First(MethodError):
        code = code_

    return First


def test_a_method_has_these_options_unless_others_are_given() -> None:
    method = Method("a.b", plain)
    assert (method.name, method.run, method.detached, method.latest, method.lane) == ("a.b", "main", False, False, None)
    assert (method.streams, method.streaming, method.errors, method.doc) == (False, False, (), "Add.\n\nOne.")
    assert (method.function, method.plain_types) == (plain, (int,))
    assert method.signature is not None
    assert method.check == method.signature.bind
    unchecked = Method("a.b", plain, checked=False)
    assert (unchecked.signature, unchecked.check, unchecked.plain_types) == (None, None, None)
    assert (unchecked.streams, unchecked.streaming, unchecked.doc) == (False, False, "Add.\n\nOne.")
    chosen = Method("a.b", plain, run="thread", detached=True, latest=True, priority="bulk", errors=[First])
    assert (chosen.run, chosen.detached, chosen.latest, chosen.lane, chosen.errors) == (
        "thread",
        True,
        True,
        2,
        (First,),
    )
    assert Method("a.b", lambda: None).doc == ""


def test_a_method_with_streams_runs_on_the_loop() -> None:
    for function, streams in ((streamed, True), (taking, False)):
        method = Method("a.b", function)
        assert (method.streams, method.streaming, method.run) == (streams, True, "loop" if streams else "main")
        assert method.signature is not None
        assert method.check == (method.signature.bind if streams else method.signature.bind_streams)
    assert Method("a.b", generator, run="thread").run == "loop"
    assert Method("a.b", generator, run="main").streams


HINT = "dot-separated parts, each of a-z, 0-9 and _ and beginning with a letter"
ASYNC = "is async: thread=True is for functions that block"


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (plain, {"run": "process"}, "run is 'process'; one of loop, thread, main"),
        (plain, {"priority": "high"}, "priority is 'high'; one of urgent, normal, bulk"),
        (plain, {"errors": [ValueError]}, "errors: <class 'ValueError'> is not a subclass of MethodError"),
        (plain, {"errors": [3]}, "errors: 3 is not a subclass of MethodError"),
        (plain, {"errors": [First, Same]}, "errors: each has a code and a name of its own"),
        (plain, {"errors": [First, named_first(4)]}, "errors: each has a code and a name of its own"),
    ],
)
def test_options_that_no_method_has_are_refused(function: Any, options: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Method("a.b", function, **options)
    assert str(caught.value) == f"method 'a.b': {why}"


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (later, {"run": "thread"}, ASYNC),
        (generator, {}, "is a generator: make it an async one, or give it run='thread'"),
        (generator, {"run": "loop"}, "is a generator: make it an async one, or give it run='thread'"),
        (blocking, {}, "takes a stream, and so has to be async"),
        (blocking_generator, {"run": "thread"}, "takes a stream, and so has to be an async generator"),
        (streamed, {"run": "thread"}, "is an async generator: run='thread' is for functions that block"),
        (streamed, {"detached": True}, "has streams, which end with their client: it cannot be detached"),
        (taking, {"detached": True}, "has streams, which end with their client: it cannot be detached"),
        (streamed, {"latest": True}, "has streams: latest=True is for methods that return their result"),
    ],
)
def test_functions_that_cannot_be_served_are_refused(function: Any, options: Any, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        Method("a.b", function, **options)
    assert str(caught.value) == f"method 'a.b' {why}"


@pytest.mark.parametrize("name", ["", "A.b", "a..b", "a.b.", "a-b", "1a", 3, None])
def test_names_that_no_method_has_are_refused(name: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Method(name, plain)
    assert str(caught.value) == f"method name {name!r}: {HINT}"


def test_a_decorator_without_its_parentheses_is_told_so() -> None:
    with pytest.raises(UsageError) as caught:
        Method(plain, plain)  # type: ignore[arg-type]
    assert str(caught.value) == f'{plain!r} stands where the method\'s name has to: write @app.method("a.b")'


def test_where_a_method_runs() -> None:
    assert [run_of(*given) for given in ((None, False), (None, True), ("thread", True), ("main", False))] == [
        None,
        "thread",
        "thread",
        "main",
    ]
    with pytest.raises(UsageError) as caught:
        run_of("loop", True)
    assert str(caught.value) == "thread=True and run='loop' contradict each other"


def adding(label: str) -> Callable[[str, Callable[..., Any]], Callable[..., Any]]:
    def intercept(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: [label, name, function(*args)]

    return intercept


def test_the_table_of_methods() -> None:
    methods = Methods()
    first, second = Method("a.first", plain, priority="urgent"), Method("a.second", plain)
    methods.add(first)
    methods.add(second)
    assert (methods.revision, methods.lanes) == (2, {"a.first": 0})
    with pytest.raises(UsageError) as caught:
        methods.add(Method("a.first", plain))
    assert (str(caught.value), methods["a.first"]) == ("method 'a.first' is registered already", first)
    methods.add(Method("a.first", plain), replace=True)
    assert (methods.revision, methods.lanes) == (3, {})
    methods.add(Method("a.third", plain, priority="bulk"), True)
    assert (methods.revision, methods.lanes) == (4, {"a.third": 2})


def test_an_interceptor_stands_around_what_was_there_before_and_what_comes_later() -> None:
    methods = Methods()
    methods.add(Method("a.old", plain))
    methods.intercept(adding("inner"))
    methods.intercept(adding("outer"))
    methods.add(Method("a.new", plain, interceptors=[adding("own")]))
    assert methods["a.old"].function(1) == ["outer", "a.old", ["inner", "a.old", 2]]
    assert methods["a.new"].function(2) == ["outer", "a.new", ["inner", "a.new", ["own", "a.new", 3]]]


def wrong() -> int:
    return "x"  # type: ignore[return-value]


def test_results_are_checked_where_that_is_asked_for() -> None:
    methods = Methods()
    methods.add(Method("a.old", wrong))
    assert methods["a.old"].function() == "x"
    methods.check_results(True)
    methods.add(Method("a.new", wrong))
    methods.add(Method("a.good", plain))
    methods.add(Method("a.unchecked", wrong, checked=False))
    methods.add(Method("a.untyped", lambda: "x"))
    for name in ("a.old", "a.new"):
        with pytest.raises(UsageError) as caught:
            methods[name].function()
        assert str(caught.value) == (
            f"method {name!r} returned what its type does not allow: Expected `int`, got `str`"
        )
    assert [methods[name].function() for name in ("a.good", "a.unchecked", "a.untyped")] == [2, "x", "x"]
    methods.check_results(False)
    assert methods["a.old"].function() == "x"


def test_what_is_said_of_a_name_that_there_is_none_of() -> None:
    methods = Methods()
    methods.add(Method("view.rotate_camera", plain))
    assert methods.hint("view.turn") == ": 'view.turn'"
    assert methods.hint("view.rotate_camera2") == ": 'view.rotate_camera2'; did you mean view.rotate_camera?"
    methods.add(Method("view.zoom", plain))
    assert methods.hint("view.Zoom") == ": 'view.Zoom'; did you mean view.zoom?"


def test_what_cannot_be_described_is_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    def lost() -> Missing: ...  # type: ignore[name-defined]  # noqa: F821

    with caplog.at_level(logging.WARNING, "wslink"):
        Method("a.lost", lost)
    why = "the hint of its result cannot be resolved; import what it names at run time, too"
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", f"method a.lost cannot be described: {why}")
    ]
