"""Functions that are no methods, and errors of classes that look after nothing: said at once, always responded to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.session.described import HELLO, both
from wslink import App, MethodError, UsageError


@pytest.mark.parametrize(
    "function", [None, "text", 5, max, int, property(lambda self: 1), classmethod(lambda _: 1)],
    ids=ascii,
)  # fmt: skip
def test_what_has_no_parameters_is_refused_by_name(app: App, function: Any) -> None:
    with pytest.raises(UsageError, match="cannot be a method"):
        app.method("test.odd")(function)


class Forgetful(MethodError):
    """Its constructor does not call that of its base."""

    code = 9

    def __init__(self, most: int) -> None:
        self.most = most


class Raising(MethodError):
    @property
    def data(self) -> Any:
        raise LookupError("not now")

    @data.setter
    def data(self, value: Any) -> None: ...


class Unprintable(Exception):
    def __repr__(self) -> str:
        raise LookupError("no text")

    __str__ = __repr__


ERRORS: dict[str, tuple[Any, tuple[int, str]]] = {
    "forgetful": (lambda: Forgetful(3), (9, "Forgetful")),
    "raising": (lambda: Raising("told"), (-32001, "Exception raised")),
    "unprintable": (Unprintable, (-32001, "Exception raised")),
    "number": (lambda: MethodError(5), (-32001, "5")),  # type: ignore[arg-type]
    "error": (lambda: MethodError(ValueError("inner")), (-32001, "inner")),  # type: ignore[arg-type]
    "half": (lambda: ValueError("\ud800"), (-32001, "Exception raised")),
}


@both
@pytest.mark.parametrize("debug", [False, True])
async def test_every_error_is_its_callers(app: App, serve: Serve, peers: Open, generation: int, debug: bool) -> None:
    """ERR-2, ERR-3."""

    def fail(kind: str) -> None:
        raise ERRORS[kind][0]()

    async def fail_later(kind: str) -> None:
        fail(kind)

    app.method("test.sync")(fail)
    app.method("test.later")(fail_later)
    app.method("test.thread", thread=True)(fail)
    peer = await peers(await serve(app, debug=debug), generation, hello=HELLO)
    for kind, (_, expected) in ERRORS.items():
        for method in ("test.sync", "test.later", "test.thread"):
            error = (await peer.call(method, kind))["error"]
            assert (error["code"], error["message"]) == expected, (kind, method)
            assert not debug or expected[1] != "Exception raised" or "trace" in error["data"]


async def test_a_stream_ends_with_whatever_its_method_raises(app: App) -> None:
    @app.method("test.stream")
    async def stream(kind: str) -> AsyncIterator[int]:
        yield 1
        raise ERRORS[kind][0]()

    async with app.connect() as link:
        for kind, (_, expected) in ERRORS.items():
            items: list[int] = []
            with pytest.raises(Exception, match=expected[1]):
                async for item in link.stream("test.stream", kind):
                    items.append(item)
            assert items == [1]


async def test_arrays_are_neither_conditions_nor_topics_nor_tags(app: App, serve: Serve, peers: Open) -> None:
    """SUB-9; an array has no truth value, and equals nothing as a whole."""
    import msgpack

    topic = app.topic("test.topic")
    app.method("test.one")(lambda: 1)
    peer = await peers(await serve(app), hello={"features": ["subscribe", "arrays"]})
    array = msgpack.ExtType(1, b"\x06\x92\xa3|u1\x02ab")
    assert "error" not in await peer.subscribe(1, "test.topic")
    for name, definition in (
        ("test.topic", {"row": array}), ("test.topic", {"row": {"exists": array}}), ("test.topic", {"row": [array]}),
        ("test.topic", {"and": array}), ("test.topic", array), (array, {}), ([array], {}),
    ):  # fmt: skip
        answer = await peer.subscribe(1, name, definition)  # type: ignore[arg-type]
        assert answer["error"]["code"] == -32602, (name, definition)
    assert (await peer.call("test.one"))["result"] == 1
    for tag in (numpy.zeros(0), numpy.zeros((2, 2)), Unprintable()):
        with pytest.raises(UsageError, match="tag 'a'"):
            topic.publish(1, {"a": tag})  # type: ignore[dict-item]
    assert topic.publish(1, {"a": numpy.array([[3]])}) == 1  # type: ignore[dict-item]


async def test_a_call_without_its_method_is_responded_to(app: App, serve: Serve, peers: Open) -> None:
    """ERR-5; also of a client that serves calls, for whom a message without a method may be a response (HND-3)."""
    app.method("test.one")(lambda: 1)
    peer = await peers(await serve(app), hello={"features": ["handle"]})
    await peer.send({"wslink": "1.0", "id": "mine", "args": [1]})
    error = (await peer.receive())["error"]
    assert (error["code"], error["message"]) == (-32600, "'method' must be a string, not null")
    await peer.send({"wslink": "1.0", "id": "late", "result": 1})  # nobody waits for it
    assert (await peer.call("test.one"))["result"] == 1
