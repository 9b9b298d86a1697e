"""Clients that do not answer the server's calls (HND, LIM-20)."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Open, Serve
from wslink import App, CallError, ClientGone, Limits

MOST = 8


async def test_a_client_that_answers_nothing_is_not_called_for_ever(serve: Serve, peers: Open) -> None:
    """LIM-20: what it does not answer is bounded, and so is what the server keeps of that; others are called."""
    app = App(secret="secret", limits=Limits(max_calls=MOST))
    url = await serve(app)
    silent, other = [await peers(url, hello={"features": ["handle", "cancel"]}) for _ in range(2)]
    client = app.clients[silent.client_id]
    waiting = [asyncio.ensure_future(client.call("view.size")) for _ in range(MOST)]
    await asyncio.sleep(0)
    for _ in range(3):
        with pytest.raises(CallError, match=rf"{MOST} calls.*max_calls") as caught:
            await client.call("view.size")
        assert caught.value.code == -32003
    sent = [await silent.receive() for _ in range(MOST)]
    assert [request["id"] for request in sent] == [f"rpc:server:{n}" for n in range(MOST)]
    call = asyncio.ensure_future(app.clients[other.client_id].call("view.size"))
    await other.send({"wslink": "1.0", "id": (await other.receive())["id"], "result": 1})
    assert await call == 1

    waiting.pop().cancel()  # gives its place to another
    await silent.send({"wslink": "1.0", "id": sent[0]["id"], "result": 2})
    assert await waiting[0] == 2
    waiting += [asyncio.ensure_future(client.call("view.size")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(CallError, match="max_calls"):
        await client.call("view.size")
    await silent.close()
    assert {type(outcome) for outcome in await asyncio.gather(*waiting[1:], return_exceptions=True)} == {ClientGone}
