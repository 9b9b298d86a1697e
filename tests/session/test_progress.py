"""Progress of calls (PRG)."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Call, NotSerializable

MIB = 1024 * 1024


async def start(peer: Peer, method: str, *args: Any, progress: Any = True) -> str:
    id_ = f"mine {method}"
    await peer.send({"wslink": "1.0", "id": id_, "progress": progress, "method": method, "args": list(args)})
    return id_


async def finish(peer: Peer, id_: str) -> tuple[list[Any], dict[str, Any]]:
    """The progress of a call, all of it, and its response."""
    answer = await peer.answer(id_)
    seen = [value for kind, known, value in peer.extensions if kind == 7 and known == id_]
    await peer.call("test.nothing")
    assert sum(kind == 7 for kind, *_ in peer.extensions) == len(seen), "something followed the response"
    return seen, answer


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": ["progress", "cancel"]})


@pytest.mark.parametrize("kind", ["sync", "async", "thread"])
async def test_progress_arrives_in_order_and_before_the_response(app: App, peer: Peer, kind: str) -> None:
    """PRG-1."""

    def work(call: Call) -> str:
        for step in range(50):
            call.progress(step)
        call.progress({"last": b"bytes"})
        return "done"

    async def suspend(call: Call) -> str:
        for step in range(50):
            call.progress(step)
            await asyncio.sleep(0)
        call.progress({"last": b"bytes"})
        return "done"

    app.method("test.work", thread=kind == "thread")(suspend if kind == "async" else work)
    seen, answer = await finish(peer, await start(peer, "test.work"))
    assert answer["result"] == "done"
    assert seen[-1] == {"last": b"bytes"}
    steps = seen[:-1]
    assert steps == sorted(steps)
    assert kind == "thread" or steps == list(range(50))


async def test_a_method_in_a_thread_is_heard_while_it_runs(app: App, peer: Peer) -> None:
    gate = threading.Event()

    @app.method("test.work", thread=True)
    def work(call: Call) -> None:
        call.progress("begun")
        gate.wait(10)

    id_ = await start(peer, "test.work")
    await peer.call("test.nothing")
    while not peer.extensions:
        await asyncio.sleep(0.005)
        await peer.call("test.nothing")
    assert peer.extensions[0] == [7, id_, "begun"]
    gate.set()
    await peer.answer(id_)


@pytest.mark.parametrize("asks", [False, None])
async def test_a_call_that_does_not_ask_is_sent_none(app: App, peer: Peer, asks: bool | None) -> None:
    wants = list[bool]()

    @app.method("test.work")
    def work(call: Call) -> None:
        wants.append(call.report is not None)
        call.progress(object())  # not even encoded

    if asks is None:
        await peer.call("test.work")
    else:
        assert "result" in await peer.answer(await start(peer, "test.work", progress=asks))
    assert (wants, list(peer.extensions)) == ([False], [])


async def test_a_client_without_the_feature_is_sent_none(app: App, serve: Serve, peers: Open) -> None:
    """EXT-3."""
    app.method("test.work")(lambda: None)

    @app.method("test.report")
    def work(call: Call) -> None:
        call.progress(1)

    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    assert "result" in await peer.answer(await start(peer, "test.report"))
    assert not peer.extensions


@pytest.mark.parametrize("value", [1, "yes", [True]])
async def test_the_key_is_a_boolean(app: App, peer: Peer, value: Any) -> None:
    app.method("test.work")(lambda: None)
    id_ = await start(peer, "test.work", progress=value)
    assert (await peer.answer(id_))["error"]["code"] == -32600


async def test_what_cannot_be_sent_is_its_methods_error(app: App, peer: Peer) -> None:
    @app.method("test.work")
    def work(call: Call) -> str:
        with pytest.raises(NotSerializable):
            call.progress(object())
        call.progress(numpy.arange(3, dtype="u1"))
        return "all the same"

    seen, answer = await finish(peer, await start(peer, "test.work"))
    assert (len(seen), answer["result"]) == (1, "all the same")


async def test_of_what_waits_for_a_slow_client_only_the_newest_is_sent(app: App, serve: Serve, peers: Open) -> None:
    """PRG-1: this client acknowledges nothing until the method has returned."""

    @app.method("test.work")
    async def work(call: Call) -> int:
        for step in range(400):
            call.progress([step, bytes(64 * 1024)])
            await asyncio.sleep(0)
        return app.clients[call.client_id].waiting

    peer = await peers(await serve(app), hello={"features": ["progress", "flow"]})
    id_ = await start(peer, "test.work")
    await asyncio.sleep(0.5)
    peer.acknowledges = True
    await peer.extension(1, 0, 0)
    answer = await peer.answer(id_)
    steps = [items[2][0] for items in peer.extensions if items[0] == 7]
    assert steps == sorted(steps)
    assert steps[-1] == 399
    assert len(steps) < 100
    assert answer["result"] < 4 * MIB


async def test_nothing_is_sent_of_a_call_that_was_cancelled(app: App, peer: Peer) -> None:
    """CAN-2."""
    begun, seen = threading.Event(), threading.Event()

    @app.method("test.work", thread=True)
    def work(call: Call) -> None:
        begun.set()
        while not call.cancelled:
            time.sleep(0.002)
        call.progress("too late")
        seen.set()

    id_ = await start(peer, "test.work")
    while not begun.is_set():
        await asyncio.sleep(0.002)
    await peer.extension(6, id_)
    assert (await peer.answer(id_))["error"]["code"] == -32800
    while not seen.is_set():
        await asyncio.sleep(0.002)
    await peer.call("test.nothing")
    assert not peer.extensions


async def test_a_client_cannot_report_progress_of_its_own(peer: Peer) -> None:
    await peer.extension(7, "rpc:server:0", 1)
    assert (await peer.receive())["error"]["code"] == -32600
