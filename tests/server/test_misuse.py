"""What programs get wrong, and what they are told."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.server.running import Running
from wslink import App, CallError, Limits, MethodError, UsageError, connect

URL = "ws://localhost:1/ws"


@dataclass
class Light:
    azimuth: float
    altitude: float = 30


@pytest.mark.parametrize("misuse", [lambda app: app.method(lambda: 1), lambda app: app.method(Light)])
def test_a_decorator_without_its_parentheses_says_how_to_write_it(misuse: Callable[[App], None]) -> None:
    with pytest.raises(UsageError, match=r'write @app.method\("a.b"\)'):
        misuse(App())


@pytest.mark.parametrize("name", [5, None, b"a.b"])
@pytest.mark.parametrize(
    "make", [lambda app, name: app.method(name), lambda app, name: app.topic(name), lambda app, name: app.group(name)]
)
def test_a_name_that_is_no_text_is_refused(make: Callable[[App, Any], None], name: Any) -> None:
    with pytest.raises(UsageError, match=f"name.* {name!r}"):
        make(App(), name)


@pytest.mark.parametrize("group", [5, ""])
def test_presence_of_what_is_no_group_is_refused(group: Any) -> None:
    with pytest.raises(UsageError, match="a group's name is a string that is not empty"):
        App().presence("a.b", group=group)


@pytest.mark.parametrize("code", [2**70, -(2**60), 1.5, "x", None, True])
@pytest.mark.parametrize("threads", [False, True])
async def test_an_error_whose_code_cannot_be_sent_is_answered(code: Any, threads: bool) -> None:
    """ERR-3."""
    app = App(secret="secret")

    @app.method("test.fail")
    def fail() -> None:
        error = MethodError("too steep", {"most": 1})
        error.code = code
        raise error

    with Running(app, application_thread=threads) as running:
        async with connect(running.url, secret="secret") as link:
            with pytest.raises(CallError) as refused:
                await link.call("test.fail")
    error = refused.value
    assert (error.code, error.message, error.data) == (-32001, "too steep", {"most": 1})


async def test_an_error_of_a_client_whose_code_cannot_be_sent_is_answered() -> None:
    app = App()

    def fail() -> None:
        raise MethodError("too steep", code=2**70)

    async with app.connect() as link:
        link.handle("test.fail")(fail)
        with pytest.raises(CallError) as refused:
            await app.clients[link.client_id].call("test.fail", timeout=5)
    assert (refused.value.code, refused.value.message) == (-32001, "too steep")


@pytest.mark.parametrize("window", [0, -1, 1.5, True, "8", 2**70])
async def test_a_window_of_a_stream_is_a_number_of_items(window: Any) -> None:
    async with App().connect() as link:
        with pytest.raises(UsageError, match="window is .*: a number of items, from 1"):
            link.stream("a.b", window=window)


async def test_a_stream_for_a_method_that_takes_none_is_passed_on_to_nobody() -> None:
    """Others could not decode what stands for it."""
    app = App()
    topic = app.topic("test.topic")

    async def items() -> AsyncIterator[int]:
        yield 1

    @app.method("test.publish")
    def publish(value: Any) -> int:
        return topic.publish(value)

    @app.method("test.echo")
    def echo(value: Any) -> Any:
        return value

    async with app.connect() as link, app.connect() as other:
        received = other.subscribe("test.topic")
        await received.ready
        with pytest.raises(CallError, match="NotSerializable"):
            await link.call("test.publish", items())
        with pytest.raises(CallError, match="cannot be serialized"):
            await link.call("test.echo", items())
        assert await link.call("test.publish", 5) == 1
        assert await anext(received) == 5


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "missing field `azimuth` - at `light`"),
        ({"azimuth": "x"}, "Expected `float`, got `str` - at `light.azimuth`"),
        (5, "got `int` - at `light`"),
    ],
)
async def test_a_wrong_argument_is_named_with_its_place(value: Any, says: str) -> None:
    app = App()

    @app.method("test.light")
    def light(light: Light) -> float:
        return light.azimuth

    async with app.connect() as link:
        with pytest.raises(CallError, match=says) as refused:
            await link.call("test.light", value)
    assert refused.value.code == -32602


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("max_calls", -1, "max_calls must be at least 0, and finite, not -1"),
        ("max_calls", 1.5, "max_calls must be an integer, not 1.5"),
        ("max_message", True, "max_message must be an integer, not True"),
        ("max_message", "1 GiB", "max_message must be an integer, not '1 GiB'"),
        ("max_msg_size", 63, "max_msg_size must be at least 64, and finite, not 63"),
        ("resume_window", float("nan"), "resume_window must be at least 0, and finite, not nan"),
        ("hello_timeout", float("inf"), "hello_timeout must be at least 0, and finite, not inf"),
        ("max_message", 2**70, "max_message must be at least 0, and finite, not 1180591620717411303424"),
        ("stall_timeout", None, "stall_timeout must be a number, not None"),
    ],
)
def test_a_limit_that_is_none_is_refused(limit: str, value: Any, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Limits(**{limit: value})
    with pytest.raises(UsageError, match=told):
        dataclasses.replace(Limits(), **{limit: value})


@pytest.mark.parametrize(
    ("misuse", "told"),
    [
        (lambda: App(limits=5), "limits must be wslink.Limits, not 5"),
        (lambda: App().include(5), "an App includes a LinkProtocol or a ServerProtocol, not 5"),
        (lambda: connect(5), "5 is not a ws:// or wss:// URL"),
        (lambda: connect(URL, limits=5), "limits must be wslink.Limits, not 5"),
        (lambda: connect(URL, timeout=-1), "timeout must be a number of seconds over 0, not -1"),
        (lambda: connect(URL, timeout=float("nan")), "timeout must be a number of seconds over 0, not nan"),
        (lambda: connect(URL, timeout="5"), "timeout must be a number of seconds over 0, not '5'"),
        (lambda: connect(URL, reconnect=5), "reconnect must be True, False or wslink.Reconnect, not 5"),
        (lambda: connect(URL, handlers=[print]), "handlers must be a mapping of names to functions, not"),
    ],
)
def test_an_argument_of_another_type_is_refused_where_it_is_given(misuse: Callable[[], object], told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        misuse()


async def test_options_of_a_call_that_are_none_are_refused() -> None:
    app = App()
    async with app.connect() as link:
        with pytest.raises(UsageError, match="on_progress must be a function, not 5"):
            link.with_options(on_progress=5)  # type: ignore[arg-type]
        [client] = app.clients.values()
        for timeout in (-1, float("nan"), "5"):
            with pytest.raises(UsageError, match="timeout must be a number of seconds, 0 or more, or None, not "):
                await client.call("page.size", timeout=timeout)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="on_progress must be a function, not 5"):
            await client.call("page.size", on_progress=5)  # type: ignore[arg-type]
