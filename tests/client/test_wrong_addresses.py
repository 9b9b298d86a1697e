"""Addresses and headers with which there is no connection: said in this package's words, at once."""

from __future__ import annotations

from typing import Any

import pytest

import wslink
from wslink import App, ConnectionClosed, UsageError


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 70}.invalid", "\ud800", "", ":1"])
async def test_a_name_that_is_none(host: str) -> None:
    with pytest.raises((ConnectionClosed, UsageError), match="ws://"):
        await wslink.connect(f"ws://{host}/ws", timeout=3)


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\nb"}, {"X": "a\r"}, {"X Y": "a"}, {"": "a"}, {"X": "\ud800"}, {"X": 5}, {5: "a"}, {"X": b"a"}, "X: a"],
)  # fmt: skip
def test_headers_that_no_handshake_can_have(headers: Any) -> None:
    with pytest.raises(UsageError, match="headers"):
        wslink.connect("ws://localhost:1/ws", headers=headers)


@pytest.mark.parametrize("wrong", [{"secret": 5}, {"secret": b"a"}, {"secret": "\ud800"}, {"ssl": "adhoc"}])
def test_what_no_hello_can_have(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} (is text|must be)"):
        wslink.connect("ws://localhost:1/ws", **wrong)


@pytest.mark.parametrize("wrong", [{"buffer": "x"}, {"window": "x"}, {"max_rate": "x"}, {"buffer": float("nan")}])
async def test_what_no_subscription_can_have(wrong: dict[str, Any]) -> None:
    app = App()
    topic = app.topic("test.topic")
    async with app.connect() as link:
        with pytest.raises(UsageError, match=f"{next(iter(wrong))} must be"):
            link.subscribe("test.topic", **wrong)
        with pytest.raises(UsageError, match="text, not 5"):
            await app.clients[link.client_id].call(5)  # type: ignore[arg-type]
        for recipients in (5, [link.client_id], b"a"):
            with pytest.raises(UsageError, match="a client's id, a Client or a Group"):
                topic.publish(1, to=recipients)  # type: ignore[arg-type]


async def test_what_is_told_of_a_call_is_not_async() -> None:
    async def show(value: object) -> None: ...

    async with (app := App()).connect() as link:
        for options in ({"on_progress": show}, {"on_transfer": show}):
            with pytest.raises(UsageError, match="not an async one"):
                link.with_options(**options)  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="not an async one"):
            await app.clients[link.client_id].call("test.one", on_progress=show)
