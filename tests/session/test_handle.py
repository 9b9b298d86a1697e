"""Calls from server to client (HND)."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import AsyncIterator
from typing import Any

import numpy
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.called import FEATURES, answer, of
from tests.session.returning import Returning
from tests.waiting import until
from wslink import App, Call, CallError, ClientGone, Limits, NotSerializable

MIB = 1024 * 1024


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": FEATURES})


async def test_the_server_calls_and_gets_the_result(app: App, peer: Peer) -> None:
    """HND-1."""
    call = asyncio.ensure_future(of(app, peer).call("view.size", 1, b"two", unit="px"))
    request = await peer.receive()
    assert request == {
        "wslink": "1.0", "id": "rpc:server:0", "method": "view.size", "args": [1, b"two"], "kwargs": {"unit": "px"},
    }  # fmt: skip
    await answer(peer, request["id"], result={"size": [640, 480], "pixels": b"\0" * 8})
    assert await call == {"size": [640, 480], "pixels": b"\0" * 8}


@pytest.mark.parametrize("size", [10, 100_000])
async def test_arrays_and_bytes_travel_both_ways(app: App, peer: Peer, size: int) -> None:
    data = numpy.arange(size, dtype="<f4")
    call = asyncio.ensure_future(of(app, peer).call("view.data", data))
    request = await peer.receive()
    (sent,) = request["args"]
    assert sent.code == 1  # ARR-1
    await answer(peer, request["id"], result=sent)
    assert numpy.array_equal(await call, data)


async def test_the_clients_error_is_the_callers(app: App, peer: Peer) -> None:
    """HND-2."""
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    error = {"code": 7, "message": "too small", "data": {"least": 1}}
    await answer(peer, (await peer.receive())["id"], error=error)
    with pytest.raises(CallError) as caught:
        await call
    assert (caught.value.code, caught.value.message, caught.value.data) == (7, "too small", {"least": 1})


async def test_a_clients_error_is_let_go_without_the_garbage_collector(app: App, peer: Peer) -> None:
    """A client may send large ones again and again."""
    errors: list[weakref.ref[CallError]] = []

    @app.method("test.ask")
    async def ask(call: Call) -> None:
        try:
            await call.client.call("page.value")
        except CallError as error:
            errors.append(weakref.ref(error))

    gc.disable()
    try:
        asked = await peer.start("test.ask")
        await answer(peer, (await peer.receive())["id"], error={"code": 7, "message": "no", "data": [[]] * 100})
        assert (await peer.answer(asked))["result"] is None
        await until(lambda: errors[0]() is None)
    finally:
        gc.enable()


async def test_calls_of_equal_ids_in_both_directions_are_told_apart(app: App, peer: Peer) -> None:
    """HND-1: the client chooses the ids of the server's own calls for its own."""
    app.method("test.echo")(lambda value: value)
    gate = asyncio.Event()

    @app.method("test.wait")
    async def wait() -> str:
        await gate.wait()
        return "waited"

    calls = [asyncio.ensure_future(of(app, peer).call("view.size", number)) for number in range(3)]
    ids = [(await peer.receive())["id"] for _ in calls]
    await peer.send({"wslink": "1.0", "id": ids[0], "method": "test.echo", "args": ["mine"]})
    assert await peer.receive() == {"wslink": "1.0", "id": ids[0], "result": "mine"}
    await peer.send({"wslink": "1.0", "id": ids[1], "method": "test.wait"})
    await peer.extension(6, ids[0])  # of the client's call, which has ended
    for number, id_ in enumerate(ids):
        await answer(peer, id_, result=number)
    assert await asyncio.gather(*calls) == [0, 1, 2]
    gate.set()
    assert await peer.receive() == {"wslink": "1.0", "id": ids[1], "result": "waited"}


@pytest.mark.parametrize("how", ["timeout", "task"])
async def test_a_call_that_is_given_up_is_cancelled_at_the_client(app: App, peer: Peer, how: str) -> None:
    """HND-3, CAN-1."""
    call = asyncio.ensure_future(of(app, peer).call("view.size", timeout=0.05 if how == "timeout" else None))
    id_ = (await peer.receive())["id"]
    if how == "timeout":
        with pytest.raises(TimeoutError, match=r"view\.size.*0\.05 s"):
            await call
    else:
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert "error" in await peer.call("test.nothing")
    assert list(peer.extensions) == [[6, id_]]
    await answer(peer, id_, error={"code": -32800, "message": "Cancelled"})
    await answer(peer, id_, result="late")
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601


async def test_what_was_not_sent_of_a_call_is_not(app: App, serve: Serve, peers: Open) -> None:
    """HND-3, CAN-2, CAN-3: this client acknowledges nothing."""
    peer = await peers(await serve(app), hello={"features": ["flow", *FEATURES]})
    client = of(app, peer)
    calls = [asyncio.ensure_future(client.call("view.data", bytes(8 * MIB))) for _ in range(2)]
    await until(lambda: bool(client.waiting))
    for call in calls:
        call.cancel()
    await until(lambda: client.waiting < MIB)
    peer.acknowledges = True
    await peer.call("test.nothing")
    assert peer.counted < 2 * MIB
    assert [kind for kind, *_ in peer.extensions if kind == 6] == []
    assert peer.ended <= 2


async def test_a_client_without_cancel_is_told_nothing(app: App, serve: Serve, peers: Open) -> None:
    """EXT-3."""
    peer = await peers(await serve(app), hello={"features": ["handle"]})
    with pytest.raises(TimeoutError):
        await of(app, peer).call("view.size", timeout=0.02)
    await peer.call("test.nothing")
    assert not peer.extensions


async def test_a_client_that_goes(app: App, peer: Peer) -> None:
    client = of(app, peer)
    call = asyncio.ensure_future(client.call("view.size"))
    await peer.receive()
    await peer.close()
    with pytest.raises(ClientGone) as caught:
        await call
    assert caught.value.client_id == client.id
    with pytest.raises(ClientGone):
        await client.call("view.size")


@pytest.mark.parametrize("version", [1, 2])
async def test_a_client_that_cannot_be_called(app: App, serve: Serve, peers: Open, version: int) -> None:
    peer = await peers(await serve(app), version)
    assert "result" in await peer.hello(features=["handle"] if version == 1 else ["cancel"])
    with pytest.raises(CallError, match="handle"):
        await app.clients[peer.client_id].call("view.size")


async def test_an_argument_that_cannot_be_sent(app: App, peer: Peer) -> None:
    with pytest.raises(NotSerializable):
        await of(app, peer).call("view.size", object())
    await peer.call("test.nothing")


async def test_progress_of_the_client(app: App, peer: Peer) -> None:
    """HND-3, PRG-1: a callback that raises is logged, and what comes too late is ignored."""
    seen = list[Any]()

    def on_progress(value: Any) -> None:
        seen.append(value)
        raise ValueError("mine")

    call = asyncio.ensure_future(of(app, peer).call("view.render", on_progress=on_progress))
    request = await peer.receive()
    assert request["progress"] is True
    for value in (0.5, {"done": 1}):
        await peer.extension(7, request["id"], value)
    await answer(peer, request["id"], result="done")
    await peer.extension(7, request["id"], "late")
    assert await call == "done"
    await peer.call("test.nothing")
    assert seen == [0.5, {"done": 1}]


async def test_all_clients_at_once(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app)
    one, two, silent = [await peers(url, hello={"features": FEATURES}) for _ in range(3)]
    old = await peers(url, hello={})
    calls = asyncio.ensure_future(app.call_all("view.size", 5, timeout=0.3, unit="px"))
    await answer(one, (await one.receive())["id"], result=[1, 2])
    await answer(two, (await two.receive())["id"], error={"code": 9, "message": "no"})
    outcomes = await calls
    assert outcomes[one.client_id] == [1, 2]
    assert outcomes[two.client_id].code == 9
    assert isinstance(outcomes[silent.client_id], TimeoutError)
    assert isinstance(outcomes[old.client_id], CallError)
    assert len(outcomes) == 4


async def test_a_method_calls_its_caller_back(app: App, peer: Peer) -> None:
    @app.method("test.ask")
    async def ask(call: Call) -> Any:
        return [await call.client.call("view.size", timeout=5)]

    id_ = await peer.start("test.ask")
    await answer(peer, (await peer.receive())["id"], result=3)
    assert await peer.receive() == {"wslink": "1.0", "id": id_, "result": [3]}


@pytest.mark.parametrize("kind", ["thread", "loop of its own"])
async def test_a_call_from_another_thread(app: App, peer: Peer, kind: str) -> None:
    results = list[Any]()
    client = of(app, peer)

    def work() -> Any:
        results.append(asyncio.run(client.call("view.size", 1)))
        with pytest.raises(TimeoutError):
            asyncio.run(client.call("view.size", timeout=0.05))

    if kind == "thread":
        app.method("test.work", thread=True)(work)
        await peer.start("test.work")
    else:
        threading.Thread(target=work, daemon=True).start()
    first = await peer.receive()
    await answer(peer, first["id"], result="from afar")
    second = await peer.receive()
    await until(lambda: results == ["from afar"])
    await asyncio.sleep(0.1)
    await answer(peer, second["id"], result="late")
    await peer.call("test.nothing")
    assert [6, second["id"]] in peer.extensions


async def test_a_response_passes_calls_that_wait_for_their_turn(serve: Serve, peers: Open) -> None:
    """HND-4: as many calls run as may, and each waits for its client."""
    app = App(secret="secret", limits=Limits(max_calls=4))

    @app.method("test.ask")
    async def ask(call: Call, data: bytes) -> Any:
        return await call.client.call("view.size")

    peer = await peers(await serve(app), hello={"features": FEATURES})
    ids = {await peer.start("test.ask", bytes(100_000)) for _ in range(12)}  # over what may be held without reading on
    answered = set[str]()
    while answered != ids:
        message = await peer.receive()
        if "method" in message:
            await answer(peer, message["id"], result="x" * 1000)
        else:
            assert message["result"] == "x" * 1000
            answered.add(message["id"])


@pytest.fixture
async def away(app: App, serve: Serve) -> AsyncIterator[Returning]:
    """A client that can return."""
    client = Returning(await serve(app), ["handle", "cancel", "resume"])
    await client.connect()
    yield client
    await client.close()


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_call_outlives_a_cut(app: App, away: Returning, when: str) -> None:
    """HND-5: it is delivered once, and answered once."""
    client = app.clients[away.client_id]
    calls = [asyncio.ensure_future(client.call("view.size", n)) for n in range(3)] if when == "before" else []
    if calls:
        await away.until(lambda: len(away.requests) == 3)
    await away.cut()
    if not calls:
        calls = [asyncio.ensure_future(client.call("view.size", n)) for n in range(3)]
        await asyncio.sleep(0.02)
    for request in list(away.requests):  # answered while it was away
        await away.send_message({"wslink": "1.0", "id": request["id"], "result": request["args"]})
    assert (await away.connect())["resume"]["resumed"]
    await away.until(lambda: len(away.requests) == 3)
    if when == "during":
        for request in away.requests:
            await away.send_message({"wslink": "1.0", "id": request["id"], "result": request["args"]})
    assert await asyncio.gather(*calls) == [[0], [1], [2]]
    await away.call("test.nothing")
    assert [request["id"] for request in away.requests] == ["rpc:server:0", "rpc:server:1", "rpc:server:2"]


@pytest.mark.parametrize("when", ["before", "during"])
async def test_a_call_that_is_given_up_during_a_cut(app: App, away: Returning, when: str) -> None:
    """HND-5, CAN-2: the client learns of it on its return, unless it never heard of the call."""
    client = app.clients[away.client_id]
    noticed = asyncio.Event()
    app.on_detach(lambda _: noticed.set())
    call = asyncio.ensure_future(client.call("view.size"))
    if when == "before":
        await away.until(lambda: len(away.requests) == 1)
    await away.cut()
    await noticed.wait()
    if when == "during":
        call = asyncio.ensure_future(client.call("view.late"))
    await asyncio.sleep(0.02)
    call.cancel()
    await asyncio.sleep(0.02)
    await away.connect()
    await away.call("test.nothing")
    if when == "before":
        assert [len(request) for request in away.requests] == [5, 2]
        assert away.requests[1] == [6, "rpc:server:0"]
    else:
        assert not any("late" in str(request) for request in away.requests)


async def test_a_session_that_ends_without_its_client(serve: Serve) -> None:
    """HND-5."""
    app = App(secret="secret", limits=Limits(resume_window=0.1))
    away = Returning(await serve(app), ["handle", "resume"])
    await away.connect()
    call = asyncio.ensure_future(app.clients[away.client_id].call("view.size"))
    await away.until(lambda: len(away.requests) == 1)
    await away.cut()
    with pytest.raises(ClientGone):
        await asyncio.wait_for(call, 5)
    await away.close()


async def test_responses_that_pass_many_calls_are_not_too_far_ahead(serve: Serve) -> None:
    """HND-4, RES-3."""
    app = App(secret="secret", limits=Limits(max_calls=4))

    @app.method("test.ask")
    async def ask(call: Call) -> Any:
        return await call.client.call("view.size")

    away = Returning(await serve(app), ["handle", "resume"])
    await away.connect()
    ids = [await away.start("test.ask") for _ in range(200)]
    for number in range(200):
        await away.until(lambda number=number: len(away.requests) > number)  # type: ignore[misc]
        await away.send_message({"wslink": "1.0", "id": away.requests[number]["id"], "result": "size"})
    await away.until(lambda: len(away.results) == 200)
    assert {str(away.results[id_]) for id_ in ids} == {"size"}
    await away.close()
