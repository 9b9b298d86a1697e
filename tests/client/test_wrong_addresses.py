"""Addresses and headers with which there is no connection: said in this package's words, at once."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

import wslink
from wslink import App, Call, ConnectionClosed, UsageError


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


@pytest.mark.parametrize("timeout", [0.0001, 5])
async def test_errors_show_neither_the_query_nor_the_password_of_an_address(timeout: float) -> None:
    for place in ("127.0.0.1:1/ws", "127.0.0.1:1"):
        with pytest.raises(ConnectionClosed) as refused:
            await wslink.connect(f"ws://ada:s3cret@{place}?token=t0ken#part", timeout=timeout)
        assert f"ws://{place}" in str(refused.value)
        assert not {word for word in ("ada", "s3cret", "t0ken", "part") if word in str(refused.value)}


async def test_a_refused_handshake_shows_no_token(server_that_refuses: str) -> None:
    address = f"{server_that_refuses}?token=t0ken"
    with pytest.raises(ConnectionClosed, match=r"ws://127.0.0.1:\d+/ws: the server responded with 418") as refused:
        await wslink.connect(address, timeout=5)
    assert "t0ken" not in "".join(traceback.format_exception(refused.value))


@pytest.fixture
async def server_that_refuses() -> AsyncIterator[str]:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=418)

    application = web.Application()
    application.router.add_get("/ws", refuse)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    await runner.cleanup()


@pytest.mark.parametrize("timeout", [float("nan"), -1, "5"])
async def test_a_call_of_a_handler_has_a_timeout_that_is_a_number(timeout: Any) -> None:
    app = App()

    async def ask(call: Call) -> object:
        with pytest.raises(UsageError, match="timeout must be a number of seconds"):
            await call.client.call("test.none", timeout=timeout)
        return "refused"

    async with app.connect(handlers={"page.ask": ask}) as link:
        assert await app.clients[link.client_id].call("page.ask") == "refused"


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
