"""Who a client is: what it brought, what the application makes of it, and how it is known after."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import aiohttp
import pytest

from tests.asgi_server import under_uvicorn
from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Call, Credentials, Identity, Limits, connect

pytestmark = pytest.mark.parametrize("engine", ["picows", "aiohttp"])


async def opened(url: str, token: Any = None, **options: Any) -> tuple[Peer, dict[str, Any]]:
    peer = await Peer.open(url, **options)
    return peer, await peer.hello(**({"secret": ...} if token is None else {"secret": token}))


async def test_the_application_decides_with_what_a_client_brought(serve: Serve, engine: str) -> None:
    app = App()
    seen: list[Credentials] = []

    @app.authenticate
    async def check(credentials: Credentials) -> Identity | None:
        seen.append(credentials)
        user = credentials.cookies.get("session")
        await asyncio.sleep(0)
        return Identity(user, {"role": credentials.query.get("role", "")}) if user else None

    @app.method("test.who")
    def who(call: Call) -> list[Any]:
        return [call.client_id, call.client.user, call.client.attributes["role"], call.client.address]

    url = await serve(app, engine=engine)
    headers = {
        "Cookie": 'odd; {"a":1}; session=ada; other="1"; session=eve',
        "Sec-WebSocket-Protocol": "one, two",
        "X-Forwarded-User": "eve",
    }
    for _ in range(2):  # the second connection may take another way through the server
        peer, answer = await opened(f"{url}?role=admin&empty=", "a token", headers=headers)
        async with peer:
            assert (await peer.call("test.who"))["result"] == [
                answer["result"]["clientID"],
                "ada",
                "admin",
                "127.0.0.1",
            ]
        brought = seen.pop()
        assert (brought.secret, brought.query["empty"], brought.subprotocols) == ("a token", "", ("one", "two"))
        assert brought.cookies == {"session": "ada", "other": "1"}
        assert brought.headers["x-forwarded-user"] == "eve"
        assert not brought.same_origin
    peer, answer = await opened(url, app.secret)
    async with peer:
        assert answer["error"]["message"] == "Authentication failed"


async def test_what_authentication_raises_refuses_the_client_alone(
    serve: Serve, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = App()

    @app.authenticate
    def check(credentials: Credentials) -> Identity | None:
        if credentials.secret == "raise":
            raise LookupError("no such user")
        return Identity("ada")

    url = await serve(app, engine=engine)
    peer, answer = await opened(url, "raise")
    async with peer:
        assert answer["error"]["code"] == -32000
    assert "no such user" in caplog.text
    async with connect(url) as link:
        assert app.clients[link.client_id].user == "ada"


@pytest.mark.parametrize("given", [True, False, "ada", {"user": "ada"}, Identity], ids=str)
@pytest.mark.parametrize("is_async", [False, True])
async def test_what_is_no_identity_lets_nobody_in(serve: Serve, engine: str, given: Any, is_async: bool) -> None:
    """HELLO-3. A check of the secret that returns whether it is right is not taken for an Identity."""
    app = App()

    def check(credentials: Credentials) -> Any:
        return given

    async def check_later(credentials: Credentials) -> Any:
        return given

    app.authenticate(check_later if is_async else check)
    peer, answer = await opened(await serve(app, engine=engine), "any")
    async with peer:
        assert answer["error"]["code"] == -32000
    assert not app.clients


async def test_clients_are_a_mapping_from_their_ids(serve: Serve, engine: str) -> None:
    app = App(secret="secret")
    url = await serve(app, engine=engine)
    begun = time.time()
    async with connect(url, secret="secret") as first, connect(url, secret="secret") as second:
        assert list(app.clients) == [first.client_id, second.client_id]
        client = app.clients[first.client_id]
        assert (client.id, client.user, dict(client.attributes)) == (first.client_id, "", {})
        assert (client.address, client.waiting) == ("127.0.0.1", 0)
        assert begun - 1 <= client.connected_at <= time.time() + 1
        client.disconnect("go home")
        end = await first.wait_closed()
        assert (end.code, end.reason) == (4002, "go home")
        assert list(app.clients) == [second.client_id]
        assert first.client_id not in app.clients


async def test_one_spelling_of_a_clients_id(serve: Serve, engine: str, caplog: pytest.LogCaptureFixture) -> None:
    app = App(secret="secret")
    topic = app.topic("test.topic")
    came: list[str] = []
    app.on_connect(came.append)

    @app.method("test.id")
    def id_of(call: Call) -> str:
        return call.client_id

    url = await serve(app, engine=engine)
    async with connect(url, secret="secret") as one, connect(url, secret="secret") as two:
        assert came == [one.client_id, two.client_id]
        assert one.client_id.startswith("c")
        assert await one.call("test.id") == one.client_id
        mine, others = one.subscribe("test.topic"), two.subscribe("test.topic")
        await mine.ready
        await others.ready
        assert topic.publish("mine", to=one.client_id) == 1
        assert topic.publish("yours", exclude=one.client_id) == 1
        assert [await anext(mine), await anext(others)] == ["mine", "yours"]
        with caplog.at_level(logging.WARNING, "wslink"):
            assert topic.publish("nobody", to=one.client_id[1:]) == 0
        assert one.client_id[1:] in caplog.text


async def test_what_waits_for_a_client_is_told(serve: Serve, peers: Open, engine: str) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=64 << 20))
    topic = app.topic("test.topic")
    url = await serve(app, engine=engine)
    peer = await peers(url, hello={"secret": "secret"})
    transport: Any = peer.socket._response.connection.transport  # type: ignore[union-attr]
    transport.pause_reading()
    for _ in range(8):
        topic.publish(bytes(4 << 20))
    await asyncio.sleep(0.1)
    assert app.clients[peer.client_id].waiting > 4 << 20
    transport.abort()


async def test_the_scope_of_the_outer_application_is_reachable(engine: str) -> None:
    pytest.importorskip("uvicorn")
    if engine == "aiohttp":
        pytest.skip("an ASGI server carries the frames")
    app = App()
    seen: list[Any] = []

    @app.authenticate
    def check(credentials: Credentials) -> Identity | None:
        assert credentials.scope is not None
        seen.append((credentials.cookies, credentials.query, credentials.address))
        return Identity(credentials.scope["user"])

    inner = app.asgi()

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        await inner({**scope, "user": "of the session"}, receive, send)

    async with under_uvicorn(outer) as port, aiohttp.ClientSession() as http:
        socket = await http.ws_connect(f"ws://127.0.0.1:{port}/ws?a=b", headers={"Cookie": "k=v"})
        peer = Peer(http, socket, 2)
        answer = await peer.hello(...)
        assert app.clients[answer["result"]["clientID"]].user == "of the session"
        await socket.close()
    assert seen == [({"k": "v"}, {"a": "b"}, "127.0.0.1")]
