"""Returns that cannot go on, what they are told, and the tokens of those that can (RES-6, RES-10)."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
import msgpack
import pytest

from tests.conftest import Serve
from tests.session.returning import FEATURES, HEADER, Clients, gone
from wslink import App
from wslink.session.identity import Identity
from wslink.wire.limits import Limits


async def test_a_session_ends_with_its_window(serve: Serve, clients: Clients) -> None:
    """RES-1, RES-6, RES-10: `expired`."""
    app = App(secret="secret", limits=Limits(resume_window=0.2))
    gone_clients: list[str] = []
    app.on_disconnect(gone_clients.append)
    client = clients(await serve(app))
    first = await client.connect()
    await client.cut()
    await gone(app)
    assert not gone_clients
    await asyncio.sleep(0.3)
    assert gone_clients == [first["clientID"]]
    again = await client.connect()
    assert again["resume"]["resumed"] is False
    assert again["resume"]["reason"] == "expired"
    assert again["clientID"] != first["clientID"]
    assert again["resume"]["epoch"] != first["resume"]["epoch"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_session_that_keeps_too_much_cannot_be_resumed(serve: Serve, clients: Clients, when: str) -> None:
    """RES-4, LIM-18: `overflow`; what is acknowledged does not count."""
    app = App(secret="secret", limits=Limits(max_resume=100_000))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    for number in range(20):
        topic.publish(bytes(10_000))
        await client.until(lambda number=number: len(client.publications) == number + 1)
        await client.acknowledge()
    await client.call("test.none")
    await client.cut()
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]
    if when == "before":
        for _ in range(20):
            topic.publish(bytes(10_000))
        await client.until(lambda: len(client.publications) == 40)
        client.last -= 15
    await client.cut()
    await gone(app)
    for _ in range(20):
        topic.publish(bytes(10_000))
    assert (await client.connect())["resume"]["reason"] == "overflow"


async def test_a_client_that_has_all_can_return_although_little_was_kept(serve: Serve, clients: Clients) -> None:
    """RES-4."""
    app = App(secret="secret", limits=Limits(max_resume=10_000))
    app.method("test.big")(lambda: bytes(100_000))
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.big")
    await client.cut()
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]
    assert len(await client.call("test.big")) == 100_000


async def test_a_server_that_has_restarted_says_so(serve: Serve, clients: Clients) -> None:
    """RES-1."""
    client = clients(await serve(App(secret="secret")))
    await client.connect()
    await client.cut()
    client.url = await serve(App(secret="secret"))
    answer = await client.connect()
    assert answer["resume"]["reason"] == "restarted"


async def test_another_user_or_other_features_are_refused(app: App, serve: Serve, clients: Clients) -> None:
    """RES-1: a token belongs to one client (RES-7)."""
    app.authenticate(lambda credentials: Identity(user=credentials.secret))
    client = clients(await serve(app), secret="alice")
    first = await client.connect()
    await client.cut()
    await gone(app)
    client.secret = "bob"
    token = client.token
    answer = await client.connect()
    assert answer["resume"]["reason"] == "refused"
    assert answer["clientID"] != first["clientID"]
    client.secret, client.features = "alice", ["resume"]
    assert (await client.connect(token=token))["resume"]["reason"] == "refused"
    client.features = FEATURES
    assert (await client.connect(token=token))["clientID"] == first["clientID"]


async def test_a_return_is_authenticated_like_any_hello(app: App, serve: Serve, clients: Clients) -> None:
    """RES-8: a refused one leaves the session as it was."""
    client = clients(await serve(app))
    first = await client.connect()
    await client.cut()
    await gone(app)
    client.secret = "wrong"
    assert (await client.connect())["error"]["code"] == -32000
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await client.http.ws_connect(client.url, origin="https://elsewhere.example")
    client.secret = "secret"
    assert (await client.connect())["clientID"] == first["clientID"]


async def test_a_return_takes_the_place_of_a_connection_that_seems_open(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-9."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    first = await client.connect()
    old = client.socket
    await client._stop_reading()
    assert (await client.connect())["clientID"] == first["clientID"]
    frame = await asyncio.wait_for(old.receive(), 5)
    assert frame.type is aiohttp.WSMsgType.CLOSE
    assert frame.data == 4001
    assert await client.call("test.echo", 1) == 1
    await old.close()
    assert await client.call("test.echo", 2) == 2
    assert list(app.clients) == [first["clientID"]]


async def test_tokens_change_and_old_ones_open_nothing(
    app: App, serve: Serve, clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    """RES-7: the one before the newest counts until the client has shown that it knows the newest."""
    caplog.set_level(logging.DEBUG)
    client = clients(await serve(app))
    await client.connect()
    tokens = [client.token]
    for _ in range(2):  # the responses of hello are lost
        await client.cut()
        await gone(app)
        assert (await client.connect(token=tokens[0]))["resume"]["resumed"]
        tokens.append(client.token)
    assert tokens[0] != tokens[1] == tokens[2]
    thief = clients(client.url)
    await client.acknowledge(True)
    await client.until(lambda: bool(client.acknowledgements))
    assert (await thief.connect(token="0" * 32))["resume"]["reason"] == "restarted"
    assert (await thief.connect(token=tokens[0]))["resume"]["reason"] == "expired"
    await client.cut()
    await asyncio.sleep(0.05)
    assert (await client.connect(token=tokens[2]))["resume"]["resumed"]
    assert not any(token in record.getMessage() for token in [*tokens, client.token] for record in caplog.records)


@pytest.mark.parametrize("resume", [5, {"token": 5}, {"token": "x" * 65}, {"received": -1}, {"missing": [None]},
                                    {"missing": list(range(65))}])  # fmt: skip
async def test_a_malformed_hello_is_answered(app: App, serve: Serve, clients: Clients, resume: Any) -> None:
    client = clients(await serve(app))
    client.socket = await client.http.ws_connect(client.url)
    hello = {"secret": "secret", "features": FEATURES, "resume": resume}
    text = msgpack.packb({"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [hello]})
    await client.socket.send_bytes(HEADER.pack(0, 0, len(text)) + text)
    answer = msgpack.unpackb((await client.socket.receive())[1][12:])
    assert answer["error"]["code"] == -32602
    assert "resume" in answer["error"]["message"]
