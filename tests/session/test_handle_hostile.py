"""Clients that answer what they were not asked: they are ignored or get an error, and nobody else is touched (HND)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.called import FEATURES, answer, of
from wslink import App, CallError, Limits

MIB = 1024 * 1024


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": FEATURES})


async def test_responses_to_calls_never_made(app: App, peer: Peer) -> None:
    """HND-3."""
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    id_ = (await peer.receive())["id"]
    for wrong in ("rpc:server:1", "rpc:server:-1", "", "x" * 100_000, 7, None, [id_], {"id": id_}):
        await answer(peer, wrong, result="forged")  # type: ignore[arg-type]
        await answer(peer, wrong, error={"code": 1, "message": "forged"})  # type: ignore[arg-type]
    await peer.send({"wslink": "1.0"})
    for _ in range(300):  # more than may be malformed (LIM-9)
        await answer(peer, "rpc:server:99", result="forged")
    await answer(peer, id_, result="mine")
    for _ in range(3):
        await answer(peer, id_, result="twice")
    assert await call == "mine"
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601


async def test_one_client_cannot_answer_for_another(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app)
    one, other = [await peers(url, hello={"features": FEATURES}) for _ in range(2)]
    call = asyncio.ensure_future(of(app, one).call("view.size"))
    id_ = (await one.receive())["id"]
    await answer(other, id_, result="forged")
    await other.call("test.nothing")
    await answer(one, id_, result="mine")
    assert await call == "mine"


@pytest.mark.parametrize("error", [None, 7, "text", [], {}, {"code": "x"}, {"code": 1, "message": ["list"]}])
async def test_errors_that_are_none(app: App, peer: Peer, error: Any) -> None:
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    await answer(peer, (await peer.receive())["id"], error=error)
    if error is None:
        assert await call is None
    else:
        with pytest.raises(CallError):
            await call


async def test_a_giant_error(app: App, peer: Peer) -> None:
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    error = {"code": 1, "message": "m" * 5_000_000, "data": {"exception": "e" * 5_000_000}}
    await answer(peer, (await peer.receive())["id"], error=error)
    with pytest.raises(CallError) as caught:
        await call
    assert len(str(caught.value)) < 10_000


async def test_a_response_that_cannot_be_read_fails_its_call(app: App, peer: Peer) -> None:
    """HND-4, ERR-5."""
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    id_ = (await peer.receive())["id"]
    await answer(peer, id_, result={(1, 2): "a key that is a list"})
    assert (await peer.receive())["error"]["code"] == -32700
    with pytest.raises(CallError) as caught:
        await call
    assert caught.value.code == -32700


async def test_a_response_over_a_limit(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_message=100_000))
    peer = await peers(await serve(app), hello={"features": FEATURES})
    call = asyncio.ensure_future(of(app, peer).call("view.size"))
    await answer(peer, (await peer.receive())["id"], result=bytes(200_000))
    with pytest.raises(CallError) as caught:
        await call
    assert caught.value.code == -32003


@pytest.mark.parametrize("items", [[7], [7, 1, 2], [7, "rpc:server:0"], [7, "x" * 1025, 1], [7, "a", 1, 2]])
async def test_progress_that_is_none(peer: Peer, items: list[Any]) -> None:
    await peer.extension(*items)
    assert (await peer.receive())["error"]["code"] == -32600


async def test_progress_of_calls_never_made(app: App, peer: Peer) -> None:
    for number in range(200):
        await peer.extension(7, f"rpc:server:{number}", "x")
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601


async def test_a_client_without_the_feature_cannot_answer(serve: Serve, peers: Open, app: App) -> None:
    peer = await peers(await serve(app), hello={"features": ["cancel"]})
    await answer(peer, "rpc:server:0", result=1)
    assert (await peer.receive())["error"]["code"] == -32600
