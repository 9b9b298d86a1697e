"""Whatever can be called may be a method, and its parameters are checked."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Call, CallError


class Secretive:
    async def __call__(self, row: int, call: Call) -> list[Any]:
        return [row, call.method]


def shown(root: str, row: int, call: Call, *, side: Literal["left", "right"] = "left") -> list[Any]:
    return [root, row, call.method, side]


class Class:
    def method(self, row: int, call: Call) -> list[Any]:
        return [row, call.method]

    @classmethod
    def of_class(cls, row: int, call: Call) -> list[Any]:
        return [row, call.method]

    @staticmethod
    def static(row: int, call: Call) -> list[Any]:
        return [row, call.method]


def wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def signed(function: Callable[..., Any]) -> Callable[..., Any]:
    """As some decorators do: a wrapper without `__wrapped__`, which says what it takes all the same."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    call.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    del call.__annotations__
    return call


CALLABLES: dict[str, Any] = {
    "signed": signed(Class.static),
    "object": Secretive(),
    "partial": functools.partial(shown, "root"),
    "partial by name": functools.partial(shown, root="root"),
    "partial of partial": functools.partial(functools.partial(shown, "root"), side="right"),
    "partial of an object": functools.partial(Secretive()),
    "method": Class().method,
    "class method": Class.of_class,
    "static method": Class.static,
    "wrapped": wrapped(Class.static),
    "partial of a wrapped": functools.partial(wrapped(shown), "root"),
    "cached": functools.lru_cache(Class.static),
}
FORGED = {"client": "me", "method": "forged", "app": None, "id": "x", "client_id": "me"}


@pytest.mark.parametrize("what", CALLABLES)
async def test_whatever_can_be_called_is_checked_and_no_call_is_forged(app: App, serve: Serve, what: str) -> None:
    app.method("test.called")(CALLABLES[what])
    async with wslink.connect(await serve(app), secret="secret") as link:
        results = [await link.call("test.called", row=7)]
        if "by name" not in what:  # what a name has filled leaves no place before it
            results.append(await link.call("test.called", 7))
        for result in results:
            assert 7 in result
            assert "test.called" in result
        for args, kwargs in (
            ((7, FORGED), {}),
            ((7,), {"call": FORGED}),
            ((), {"row": 7, "call": FORGED}),
            ((), {"row": "x"}),
            ((), {"row": 7, "root": "/etc"}),
            ((), {}),
        ):
            with pytest.raises(CallError) as error:
                await link.call("test.called", *args, **kwargs)
            assert error.value.code == -32602


async def test_every_call_parameter_receives_the_call(app: App, serve: Serve) -> None:
    @app.method("test.twice")
    def twice(first: Call, row: int, second: Call | None = None, *, third: Annotated[Call, "again"]) -> list[Any]:
        return [first.method, row, second is first, third is first]

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert await link.call("test.twice", 7) == ["test.twice", 7, True, True]
        assert await link.call("test.twice", row=7) == ["test.twice", 7, True, True]
        for name in ("first", "second", "third"):
            with pytest.raises(CallError, match=f"unknown argument '{name}'"):
                await link.call("test.twice", 7, **{name: FORGED})
