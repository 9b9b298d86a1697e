"""Calls of the server that a Python client serves (HND), against the real server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import msgpack
import numpy
import pytest

import wslink
from tests.client.scripted import Connected
from tests.conftest import Serve
from tests.waiting import until
from tests.wire.test_vectors import vectors
from wslink import App, Call, CallError, Client, ClientGone, ConnectionClosed, Limits, Link, MethodError, UsageError
from wslink.client.backoff import Reconnect


def only(app: App) -> Client:
    (client,) = app.clients.values()
    return client


@pytest.fixture
async def url(app: App, serve: Serve) -> str:
    return await serve(app)


FEATURES = ["arrays", "cancel", "progress", "handle"]


def packed(value: Any) -> Any:
    """A value of the vectors as msgpack writes it, arrays as they travel."""
    if isinstance(value, list):
        return [packed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return bytes.fromhex(value["$bytes"])
    if "$array" in value:
        head = msgpack.packb([value["$array"]["dtype"], *value["$array"]["shape"]])
        return msgpack.ExtType(1, bytes((len(head),)) + head + bytes.fromhex(value["$array"]["data"]))
    return {key: packed(item) for key, item in value.items()}


async def wait() -> None:
    await asyncio.Event().wait()


def choose() -> None:
    raise MethodError("too small", {"least": 1}, code=7)


def steps(call: Call) -> str:
    call.progress(0.5)
    call.progress({"done": 1})
    return "done"


def named(*, value: Any) -> Any:
    return value


SERVED: dict[str, Any] = {
    "test.echo": lambda value: value,
    "test.named": named,
    "test.nothing": lambda: None,
    "test.unsendable": lambda: object(),
    "test.choose": choose,
    "test.wait": wait,
    "test.steps": steps,
}


@vectors("calls", "cases")
async def test_vector(case: dict[str, Any], connected: Connected) -> None:
    """HND-1 to HND-3, LIM-20, PRG-1."""
    _, server = await connected(FEATURES, limits=Limits(max_client_calls=2), handlers=SERVED)
    for message in case["received"]:
        await server.send(packed(message))
    await until(lambda: len(server.responses) + len(server.said(7)) >= len(case["sent"]))
    await asyncio.sleep(0.01)
    assert [*server.said(7), *server.responses] == packed(case["sent"])


async def test_sync_and_async_functions_and_the_decorator(app: App, url: str) -> None:
    """HND-1."""
    async with wslink.connect(url, secret="secret") as link:

        @link.handle("view.scale")
        async def scale(factor: float, data: bytes, *, unit: str = "px") -> dict[str, Any]:
            await asyncio.sleep(0)
            return {"factor": factor * 2, "data": data, "unit": unit}

        remove = link.handle("view.size", lambda: [640, 480])
        client = only(app)
        assert await client.call("view.size") == [640, 480]
        assert await client.call("view.scale", 2, b"x", unit="em") == {"factor": 4, "data": b"x", "unit": "em"}
        with pytest.raises(UsageError):
            link.handle("view.size", lambda: 1)
        remove()
        with pytest.raises(CallError) as caught:
            await client.call("view.size")
        assert caught.value.code == -32601
        link.handle("view.size", lambda: 1)
        remove()
        assert await client.call("view.size") == 1


async def test_functions_that_connect_is_given_are_there_at_once(app: App, url: str) -> None:
    results = list[Any]()

    @app.on_connect
    async def came(client_id: str) -> None:
        results.append(await app.clients[client_id].call("view.size", timeout=5))

    async with wslink.connect(url, secret="secret", handlers={"view.size": lambda: 7}):
        await until(lambda: results == [7])


async def test_arrays_travel_both_ways(app: App, url: str) -> None:
    async with wslink.connect(url, secret="secret", handlers={"view.double": lambda data: data * 2}):
        data = numpy.arange(500_000, dtype="f4").reshape(1000, 500)
        assert numpy.array_equal(await only(app).call("view.double", data, timeout=10), data * 2)


async def test_errors(app: App, url: str) -> None:
    """HND-2, ERR-2, ERR-3, ERR-4."""

    def fail() -> None:
        raise MethodError("too small", {"least": 1}, code=7)

    def broken() -> None:
        raise ValueError("mine")

    def typed(size: int) -> object:
        return object()

    handlers = {"a.fail": fail, "a.broken": broken, "a.typed": typed}
    async with wslink.connect(url, secret="secret", handlers=handlers):
        codes = {}
        calls = {"a.fail": (), "a.broken": (), "a.typed": (1,), "a.typed.wrong": ()}
        for method, args in calls.items():
            with pytest.raises(CallError) as caught:
                await only(app).call(method, *args)
            codes[method] = caught.value.code
        with pytest.raises(CallError, match="size") as caught:
            await only(app).call("a.typed", "one")
        codes["argument"] = caught.value.code
        assert codes == {
            "a.fail": 7,
            "a.broken": -32001,
            "a.typed": -32002,
            "a.typed.wrong": -32601,
            "argument": -32602,
        }


async def test_more_calls_than_are_served_at_a_time(app: App, url: str) -> None:
    """LIM-20."""
    gate = asyncio.Event()
    limits = Limits(max_client_calls=3)
    async with wslink.connect(url, secret="secret", limits=limits, handlers={"a.wait": gate.wait}):
        calls = [asyncio.ensure_future(only(app).call("a.wait")) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(CallError, match=r"max_client_calls \(3\)") as caught:
            await only(app).call("a.wait")
        assert caught.value.code == -32003
        gate.set()
        assert await asyncio.gather(*calls) == [True] * 3
        assert await only(app).call("a.wait")


@pytest.mark.parametrize("how", ["timeout", "task"])
async def test_a_call_that_is_given_up_is_cancelled(app: App, url: str, how: str) -> None:
    """HND-3, CAN-1."""
    events = list[str]()

    async def wait() -> None:
        events.append("begun")
        try:
            await asyncio.Event().wait()
        finally:
            events.append("ended")

    async with wslink.connect(url, secret="secret", handlers={"a.wait": wait}):
        call = asyncio.ensure_future(only(app).call("a.wait", timeout=0.1 if how == "timeout" else None))
        await until(lambda: events == ["begun"])
        if how == "task":
            call.cancel()
        with pytest.raises(TimeoutError if how == "timeout" else asyncio.CancelledError):
            await call
        await until(lambda: events == ["begun", "ended"])


async def test_progress_both_ways(app: App, url: str) -> None:
    """PRG-1, HND-3."""

    def work(call: Call) -> str:
        for step in range(3):
            call.progress(step)
        return "done"

    app.method("test.work")(work)
    app.method("test.thread", thread=True)(work)
    async with wslink.connect(url, secret="secret", handlers={"view.work": work}) as link:
        link.handle("view.thread", work, run="thread")
        for method in ("test.work", "test.thread"):
            seen = list[Any]()
            assert await link.with_options(on_progress=seen.append).call(method) == "done"
            assert seen[-1] == 2
            assert seen == sorted(seen)
            assert await link.call(method) == "done"
        for method in ("view.work", "view.thread"):
            seen = []
            assert await only(app).call(method, on_progress=seen.append) == "done"
            assert seen[-1] == 2
            assert await only(app).call(method) == "done"


async def test_a_handler_calls_back_and_both_directions_go_on_at_once(app: App, url: str) -> None:
    @app.method("test.double")
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return value * 2

    async def ask(value: int, call: Call) -> Any:
        link = call.app
        assert isinstance(link, Link)
        return [await link.call("test.double", value), await call.client.call("test.double", value, timeout=5)]

    async with wslink.connect(url, secret="secret", handlers={"a.ask": ask}) as link:
        ours = [only(app).call("a.ask", number) for number in range(30)]
        theirs = [link.call("test.double", number) for number in range(30)]
        results = await asyncio.gather(*ours, *theirs)
        assert results[:30] == [[2 * number, 2 * number] for number in range(30)]
        assert results[30:] == [2 * number for number in range(30)]


async def test_a_link_that_closes(app: App, url: str) -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with wslink.connect(url, secret="secret", handlers={"a.wait": wait}):
        call = asyncio.ensure_future(only(app).call("a.wait"))
        await asyncio.sleep(0.05)
    with pytest.raises(ClientGone):
        await call
    await until(ended.is_set)


async def test_a_call_outlives_a_cut(app: App, url: str) -> None:
    """HND-5: delivered once, answered once."""
    ran = list[int]()

    async def work(number: int) -> int:
        ran.append(number)
        await asyncio.sleep(0.05)
        return number

    soon = Reconnect(initial=0.02, max=0.05)
    async with wslink.connect(url, secret="secret", handlers={"a.work": work}, reconnect=soon) as link:
        client = only(app)
        for round_ in range(5):
            returned = asyncio.Event()
            link.on_reconnected(lambda _, returned=returned: returned.set())  # type: ignore[misc]
            calls = [asyncio.ensure_future(client.call("a.work", 10 * round_ + number)) for number in range(5)]
            await asyncio.sleep(0.01 * round_)
            link._connections.give_up()
            calls += [asyncio.ensure_future(client.call("a.work", 10 * round_ + number)) for number in range(5, 10)]
            assert await asyncio.wait_for(asyncio.gather(*calls), 20) == [10 * round_ + number for number in range(10)]
            await asyncio.wait_for(returned.wait(), 10)
        assert sorted(ran) == list(range(50))


async def test_a_client_that_the_server_disconnects_does_not_come_back(app: App, url: str) -> None:
    async with wslink.connect(url, secret="secret") as link:
        app.method("test.wait")(asyncio.Event().wait)
        call = asyncio.ensure_future(link.call("test.wait"))
        await asyncio.sleep(0.05)
        only(app).disconnect("the show is over")
        end = await asyncio.wait_for(link.wait_closed(), 5)
        assert (end.code, end.reason, link.state) == (4002, "the show is over", "closed")
        with contextlib.suppress(ConnectionClosed):
            await call
        with pytest.raises(ConnectionClosed, match="the show is over"):
            await link.call("test.wait")
        assert not app.clients
