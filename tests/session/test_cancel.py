"""Calls that their client gives up (CAN)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.messages import HEADER
from tests.peers import Peer
from tests.waiting import until
from wslink import App, Call, Limits

CANCELLED = {"code": -32800, "message": "Cancelled", "data": "test.wait"}
MIB = 1024 * 1024


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": ["cancel"]})


async def test_an_async_method_gets_cancelled_error(app: App, peer: Peer) -> None:
    """CAN-1."""
    events = list[str]()

    @app.method("test.wait")
    async def wait() -> None:
        events.append("begun")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    id_ = await peer.start("test.wait")
    await until(lambda: events == ["begun"])
    await peer.extension(6, id_)
    assert (await peer.receive())["error"] == CANCELLED
    assert events == ["begun", "cancelled"]
    await peer.extension(6, id_)  # unknown by now
    await peer.extension(6, "rpc:c0:1000000")
    assert (await peer.call("test.wait.nothing"))["error"]["code"] == -32601


async def test_a_method_in_a_thread_sees_that_its_call_is_cancelled(app: App, peer: Peer) -> None:
    seen = threading.Event()
    begun = threading.Event()

    @app.method("test.wait", thread=True)
    def wait(call: Call) -> None:
        begun.set()
        while not call.cancelled:
            time.sleep(0.002)
        try:
            call.raise_if_cancelled()
        except asyncio.CancelledError:
            seen.set()
            raise

    id_ = await peer.start("test.wait")
    await until(begun.is_set)
    await peer.extension(6, id_)
    assert (await peer.receive())["error"] == CANCELLED
    await until(seen.is_set)


@pytest.mark.parametrize("thread", [False, True])
async def test_a_call_that_arrives_with_its_cancellation_never_begins(app: App, peer: Peer, thread: bool) -> None:
    """CAN-2."""
    begun = list[int]()
    if thread:
        app.method("test.wait", thread=True)(lambda: begun.append(1))
    else:

        @app.method("test.wait")
        async def wait() -> None:
            begun.append(1)

    app.method("test.block")(lambda: time.sleep(0.1))
    await peer.start("test.block")  # the others arrive meanwhile
    id_ = await peer.start("test.wait")
    await peer.extension(6, id_)
    assert (await peer.answer(id_))["error"] == CANCELLED
    await asyncio.sleep(0.05)
    assert begun == [] or thread  # a thread that is free begins at once


async def test_a_call_that_waits_for_a_thread_never_begins(app: App, peer: Peer) -> None:
    gate, begun = threading.Event(), list[int]()
    app.method("test.block", thread=True)(lambda: gate.wait(10))
    app.method("test.wait", thread=True)(lambda: begun.append(1))
    blocks = [await peer.start("test.block") for _ in range(30)]
    ids = [await peer.start("test.wait") for _ in range(3)]
    for id_ in ids:
        await peer.extension(6, id_)
        assert (await peer.receive())["error"] == CANCELLED
    gate.set()
    answered = {(await peer.receive())["id"] for _ in blocks}
    assert answered == set(blocks)
    await asyncio.sleep(0.05)
    assert begun == []


@pytest.mark.parametrize("size", [10, 20_000])
async def test_a_call_that_waits_for_its_turn_never_begins(serve: Serve, peers: Open, size: int) -> None:
    """CAN-2, TURN-2: the client has as many calls under way as it may."""
    app = App(secret="secret", limits=Limits(max_calls=4))
    gate, begun = asyncio.Event(), list[int]()

    @app.method("test.hold")
    async def hold() -> None:
        await gate.wait()

    app.method("test.wait")(lambda data, number: begun.append(number))
    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    for _ in range(4):
        await peer.start("test.hold")
    await asyncio.sleep(0.05)
    ids = []
    for number in range(6):
        ids.append(f"mine {number}")
        call = {"wslink": "1.0", "id": ids[-1], "method": "test.wait", "args": [bytes(size), number]}
        await peer.send(call, max_frame=5000)
    await peer.extension(6, "rpc:unknown:1")
    await peer.extension(6, ids[1])
    await peer.extension(6, ids[4])
    await asyncio.sleep(0.1)
    gate.set()
    answers = {message["id"]: message for message in [await peer.receive() for _ in range(10)]}
    assert begun == [0, 2, 3, 5]
    assert [number for number, id_ in enumerate(ids) if answers[id_].get("error") == CANCELLED] == [1, 4]
    again = await peer.call("test.wait", b"", 6)  # what was cancelled is forgotten
    assert "result" in again
    assert begun[-1] == 6


async def test_an_id_that_was_cancelled_may_be_used_again(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_calls=1))
    gate = asyncio.Event()

    @app.method("test.hold")
    async def hold() -> None:
        await gate.wait()

    app.method("test.one")(lambda: 1)
    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    await peer.start("test.hold")
    await asyncio.sleep(0.02)
    for _ in range(3):
        await peer.start("test.one")
    await peer.extension(6, "mine")
    await asyncio.sleep(0.05)
    gate.set()
    for _ in range(4):
        await peer.receive()
    await peer.send({"wslink": "1.0", "id": "mine", "method": "test.one"})
    assert (await peer.answer("mine"))["result"] == 1


async def test_what_waits_of_a_response_is_not_sent(app: App, serve: Serve, peers: Open) -> None:
    """CAN-2, CAN-3: this client acknowledges nothing, so that all but the first window waits."""
    app.method("test.big")(lambda: bytes(8 * MIB))
    app.method("test.small")(lambda: "small")
    peer = await peers(await serve(app), hello={"features": ["flow", "cancel"]})
    begun, waits = await peer.start("test.big"), await peer.start("test.big")
    await until(lambda: bool(app.clients[peer.client_id].waiting))
    session = app.clients[peer.client_id]
    await peer.extension(6, begun)
    await peer.extension(6, waits)
    await until(lambda: session.waiting < MIB)
    peer.acknowledges = True
    small = await peer.start("test.small")
    assert (await peer.receive())["id"] == small
    assert peer.ended <= 2
    assert peer.counted < 2 * MIB
    await until(lambda: session.waiting == 0)


async def test_a_message_that_the_client_ends_is_dropped(app: App, peer: Peer) -> None:
    """CAN-3."""
    app.method("test.length")(len)
    for number in range(200):  # more than may be under way (LIM-4), and malformed (LIM-9)
        await peer.socket.send_bytes(HEADER.pack(10_000 + number, 0, MIB) + bytes(1000))
        await peer.socket.send_bytes(HEADER.pack(10_000 + number, MIB, MIB))
    assert (await peer.call("test.length", bytes(MIB)))["result"] == MIB


async def test_a_client_without_the_feature_cannot_cancel(app: App, serve: Serve, peers: Open) -> None:
    """EXT-3, CAN-3."""
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    peer = await peers(await serve(app), hello={"features": ["arrays"]})
    id_ = await peer.start("test.wait")
    await peer.extension(6, id_)
    assert (await peer.receive())["error"]["code"] == -32600
    await peer.socket.send_bytes(HEADER.pack(77, 0, 100) + bytes(50))
    await peer.socket.send_bytes(HEADER.pack(77, 100, 100))
    assert (await peer.receive())["error"]["code"] == -32700
    gate.set()
    assert "result" in await peer.answer(id_)


@pytest.mark.parametrize("items", [[6], [6, None], [6, 1], [6, "x" * 1025], [6, ["rpc:c0:1"]]])
async def test_a_cancellation_needs_an_id(peer: Peer, items: list[Any]) -> None:
    await peer.extension(*items)
    assert (await peer.receive())["error"]["code"] == -32600


async def test_version_1_has_no_cancellation(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), 1)
    assert (await peer.hello(features=["cancel"]))["result"]["features"] == []


@pytest.mark.parametrize("detached", [False, True])
async def test_calls_of_a_client_that_has_gone(app: App, serve: Serve, peers: Open, detached: bool) -> None:
    """CAN-4."""
    done, begun = list[bool](), threading.Event()

    @app.method("test.wait", thread=True, detached=detached)
    def wait(call: Call) -> None:
        begun.set()
        time.sleep(0.2)
        done.append(call.cancelled)

    peer = await peers(await serve(app), hello={})
    await peer.start("test.wait")
    await until(begun.is_set)
    await peer.close()
    await until(lambda: bool(done))
    assert done == [not detached]
