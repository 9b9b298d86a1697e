"""Calls that are malformed, too large or too many, and those of clients that have gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgpack
import pytest

from tests.conftest import Open, Serve
from tests.session.described import HELLO, both, describe
from wslink import App, Limits


@both
@pytest.mark.parametrize(
    ("envelope", "code", "says"),
    [
        (7, -32600, "a message must be a map, not a number"),
        ({"id": 7, "method": "test.echo"}, -32600, "'id' must be a string"),
        (
            {"id": "x" * 1025, "method": "test.echo"},
            -32600,
            "'id' must be a string of at most 1024 characters (max_id)",
        ),
        ({"id": "rpc:c1:1"}, -32600, "'method' must be a string, not null"),
        ({"id": "rpc:c1:1", "method": "test.echo", "args": 3}, -32600, "'args' must be a list, not a number"),
        ({"id": "rpc:c1:1", "method": "test.echo", "kwargs": [1]}, -32600, "'kwargs' must be a map"),
    ],
)
async def test_malformed_messages_are_answered_and_the_connection_goes_on(
    app: App, serve: Serve, peers: Open, generation: int, envelope: Any, code: int, says: str
) -> None:
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    await peer.send(envelope)
    answer = await peer.receive()
    given = envelope.get("id") if isinstance(envelope, dict) else None
    assert answer["id"] == (given if given == "rpc:c1:1" else "system:malformed:0")
    assert answer["error"]["code"] == code
    assert says in answer["error"]["message"]
    assert (await peer.call("test.echo", 1))["result"] == 1


@pytest.mark.parametrize(
    ("generation", "send"),
    [
        (2, lambda socket: socket.send_bytes(b"abc")),
        (2, lambda socket: socket.send_bytes(bytes(12) + b"")),
        (2, lambda socket: socket.send_bytes(b"\x01\0\0\0\0\0\0\0\x01\0\0\0\xc1")),
        (2, lambda socket: socket.send_str("text")),
        (2, lambda socket: socket.send_bytes(b"\x01\0\0\0\0\0\0\0\x50\xc3\0\0" + b"\x91" * 50_000)),
        (1, lambda socket: socket.send_str("{")),
        (1, lambda socket: socket.send_bytes(b"bytes")),
        (1, lambda socket: socket.send_str("[" * 100_000)),
    ],
)
async def test_frames_that_cannot_be_decoded_are_answered_and_the_connection_goes_on(
    app: App, serve: Serve, peers: Open, generation: int, send: Callable[[Any], Any]
) -> None:
    describe(app)
    peer = await peers(await serve(app), generation, hello=HELLO)
    await send(peer.socket)
    answer = await peer.receive()
    assert answer["id"] == "system:malformed:0"
    assert answer["error"]["code"] in (-32700, -32600)
    assert (await peer.call("test.echo", 1))["result"] == 1


async def test_arrays_are_malformed_where_a_message_has_none(app: App, serve: Serve, peers: Open) -> None:
    describe(app)
    peer = await peers(await serve(app), hello={**HELLO, "features": ["subscribe", "arrays"]})
    dtype = msgpack.packb(["|u1", 2])
    array = msgpack.ExtType(1, bytes((len(dtype),)) + dtype + b"ab")
    token = {"secret": "secret", "features": array}
    for message, code in (
        ({"args": array}, -32600),
        ({"kwargs": array}, -32600),
        ({"method": array}, -32600),
        ({"id": "system:c0:0", "method": "wslink.hello", "args": [token]}, -32602),
        ({"id": "system:c0:1", "method": "wslink.subscribe", "args": [{"subscription": array}]}, -32602),
    ):
        await peer.send({"id": "rpc:c1:1", "method": "test.echo", **message})
        assert (await peer.receive())["error"]["code"] == code
    assert (await peer.call("test.echo", 1))["result"] == 1


async def test_too_many_malformed_messages_end_the_connection(serve: Serve, peers: Open) -> None:
    """LIM-9."""
    app = App(secret="secret", limits=Limits(max_malformed=3))
    peer = await peers(await serve(app), hello=HELLO)
    for _ in range(3):
        await peer.socket.send_bytes(b"abc")
    assert (await peer.call("application.none"))["error"]["code"] == -32601  # three are allowed
    await peer.socket.send_bytes(b"abc")
    assert await peer.closed() == (1008, "over max_malformed (3) malformed messages")


async def test_of_a_client_with_many_calls_under_way_none_is_taken_for_a_while(serve: Serve, peers: Open) -> None:
    """LIM-10, TURN-2."""
    app = App(secret="secret", limits=Limits(max_calls=2))
    gates = [asyncio.Event() for _ in range(6)]
    begun: list[int] = []

    @app.method("test.wait")
    async def wait(number: int) -> int:
        begun.append(number)
        await gates[number].wait()
        return number

    app.method("test.echo")(lambda value: value)
    url = await serve(app)
    peer, other = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    ids = [await peer.start("test.wait", n) for n in range(6)]
    last = await peer.start("test.echo", 7)
    assert (await other.call("test.echo", 1))["result"] == 1
    await asyncio.sleep(0.05)
    assert begun == [0, 1]
    for gate in gates:
        gate.set()
    for number, id_ in enumerate(ids):
        assert (await peer.answer(id_))["result"] == number
    assert (await peer.answer(last))["result"] == 7
    assert begun == list(range(6))


async def test_of_a_full_server_each_client_has_its_share(serve: Serve, peers: Open) -> None:
    """LIM-10, TURN-3."""
    app = App(secret="secret", limits=Limits(max_server_calls=4))
    gate = asyncio.Event()
    begun: list[str] = []

    @app.method("test.wait")
    async def wait(name: str) -> bool:
        begun.append(name)
        return await gate.wait()

    url = await serve(app)
    greedy, modest = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    many = [await greedy.start("test.wait", "greedy") for _ in range(8)]
    one = await modest.start("test.wait", "modest")
    while "modest" not in begun:
        await asyncio.sleep(0.01)
    assert begun == ["greedy"] * 4 + ["modest"]
    gate.set()
    assert (await modest.answer(one))["result"] is True
    for id_ in many:
        assert (await greedy.answer(id_))["result"] is True


async def test_calls_of_a_client_that_has_gone_are_cancelled(serve: Serve, peers: Open) -> None:
    """TURN-4."""
    app = App(secret="secret", limits=Limits(max_calls=4))
    ended: list[str] = []

    @app.method("test.wait")
    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("wait")

    @app.method("test.go_on", detached=True)
    async def go_on() -> None:
        await asyncio.sleep(0.1)
        ended.append("go on")

    url = await serve(app)
    leaving, staying = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    await leaving.start("test.wait")
    await leaving.start("test.go_on")
    await leaving.call("test.none")
    waiting = await staying.start("test.wait")
    await leaving.close()
    while len(ended) < 2:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert sorted(ended) == ["go on", "wait"]
    assert waiting


async def test_what_nobody_foresaw_is_an_error_of_its_call_alone(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    describe(app)
    peer = await peers(await serve(app), hello=HELLO)
    monkeypatch.setattr("wslink.rpc.dispatcher.Dispatcher.start", lambda self, request, client: 1 / 0)
    with caplog.at_level(logging.CRITICAL, "wslink"):
        error = (await peer.call("test.echo"))["error"]
    assert (error["code"], error["message"]) == (-32603, "Internal error")
    monkeypatch.undo()
    assert (await peer.call("test.echo", 1))["result"] == 1


async def test_a_message_over_max_message_is_refused_alone(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_message=100_000))
    describe(app)
    peer = await peers(await serve(app), hello=HELLO)
    await peer.send({"id": "rpc:c1:1", "method": "test.echo", "args": [bytes(600_000)]}, max_frame=50_000)
    answer = await peer.receive()
    assert answer["error"]["code"] == -32003
    assert "max_message (100000)" in answer["error"]["message"]
    assert (await peer.call("test.echo", 1))["result"] == 1
