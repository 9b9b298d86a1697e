"""Hello, authentication and what comes before it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.messages import HEADER
from wslink import App, Limits

both = pytest.mark.parametrize("generation", [1, 2])


@both
async def test_a_released_client_gets_what_a_released_server_answers(
    app: App, serve: Serve, peers: Open, generation: int
) -> None:
    peer = await peers(await serve(app), generation)
    answer = await peer.hello("secret")
    assert answer["id"] == "system:c0:0"
    assert set(answer["result"]) == ({"clientID"} if generation == 1 else {"clientID", "maxMsgSize"})
    assert len(answer["result"]["clientID"]) == 33
    assert answer["result"].get("maxMsgSize") in (None, 4194304)


async def test_features_are_granted_where_they_exist(app: App, serve: Serve, peers: Open) -> None:
    url = await serve(app)
    asked = {"features": ["subscribe", "arrays", "telepathy"], "client": {"name": "test", "version": "1"}}
    for generation, granted in ((2, ["subscribe", "arrays"]), (1, ["subscribe"])):
        result = (await (await peers(url, generation)).hello("secret", **asked))["result"]
        assert result["features"] == granted
        assert result["server"]["name"] == "wslink"


@both
@pytest.mark.parametrize("secret", ["wrong", "", None, 7, ["secret"], {"secret": "secret"}, ..., "secret\0", "ü" * 300])
async def test_a_wrong_secret_is_refused(app: App, serve: Serve, peers: Open, generation: int, secret: Any) -> None:
    peer = await peers(await serve(app), generation)
    assert (await peer.hello(secret))["error"] == {"code": -32000, "message": "Authentication failed"}
    assert (await peer.call("application.exit"))["error"]["code"] == -32000
    assert "result" in await peer.hello("secret")


async def test_null_does_not_open_a_server_whose_secret_is_random(serve: Serve, peers: Open) -> None:
    app = App()
    peer = await peers(await serve(app))
    for secret in (None, ..., ""):
        assert "error" in await peer.hello(secret)
    assert "result" in await peer.hello(app.secret)


async def test_everything_but_hello_is_refused_before_it(app: App, serve: Serve, peers: Open) -> None:
    """HELLO-5."""
    topic = app.topic("test.topic")
    peer = await peers(await serve(app))
    for id_, method in (
        ("rpc:c0:1", "test.echo"),
        ("rpc:c0:1", "wslink.hello"),
        ("system:c0:1", "wslink.subscribe"),
        ("system:c0:1", "wslink.unsubscribe"),
    ):
        await peer.send({"id": id_, "method": method, "args": [{"secret": "secret"}]})
        assert (await peer.receive())["error"] == {"code": -32000, "message": "Unauthorized: Skip message processing"}
    assert topic.publish("secret news") == 0


async def test_a_second_hello_that_fails_takes_nothing_away(app: App, serve: Serve, peers: Open) -> None:
    """HELLO-6."""
    app.method("test.one")(lambda: 1)
    peer = await peers(await serve(app), hello={"secret": "secret"})
    assert "error" in await peer.hello("wrong")
    assert (await peer.call("test.one"))["result"] == 1


@both
@pytest.mark.parametrize("features", ["subscribe", 7, [1], [["subscribe"]], {"subscribe": 1}])
async def test_features_that_are_no_list_of_names_are_refused(
    app: App, serve: Serve, peers: Open, generation: int, features: Any
) -> None:
    peer = await peers(await serve(app), generation)
    error = (await peer.hello("secret", features=features))["error"]
    assert (error["code"], error["message"]) == (-32602, "wslink.hello: 'features' must be a list of strings")
    assert "features" not in (await peer.hello("secret", features=None))["result"]


async def test_a_second_hello_is_granted_what_the_first_one_was(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), hello={"secret": "secret", "features": ["subscribe", "subscribe"]})
    for asked, granted in (
        (["arrays", "subscribe"], ["subscribe"]),
        (["arrays"], []),
        (["subscribe"] * 2, ["subscribe"]),
    ):
        assert (await peer.hello("secret", features=asked))["result"]["features"] == granted
    assert (await peer.system("wslink.subscribe", {}))["error"]["code"] == -32602


async def test_an_unknown_system_method_is_not_found(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), hello={"secret": "secret"})
    for method in ("wslink.other", "wslink.subscribe"):  # not announced, so it does not exist
        error = (await peer.system(method, {}))["error"]
        assert error == {"code": -32601, "message": "Unknown system method called", "data": method}


async def test_large_secrets_are_accepted_up_to_the_limit(serve: Serve, peers: Open) -> None:
    """LIM-2."""
    app = App(secret="s" * 60_000)
    url = await serve(app)
    assert "result" in await (await peers(url)).hello("s" * 60_000)
    peer = await peers(url)
    await peer.send({"id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "s" * 70_000}]})
    assert await peer.closed() == (1009, "a message before hello is at most auth_msg_size (65536) bytes")


async def test_a_large_message_in_chunks_before_hello_is_refused(app: App, serve: Serve, peers: Open) -> None:
    """G2-10, LIM-2."""
    peer = await peers(await serve(app))
    await peer.socket.send_bytes(HEADER.pack(1, 0, 1 << 31) + b"x")
    assert await peer.closed() == (1009, "a message before hello is at most auth_msg_size (65536) bytes")


async def test_a_client_that_never_says_hello_is_disconnected(serve: Serve, peers: Open) -> None:
    """HELLO-4, LIM-8."""
    app = App(secret="secret", limits=Limits(hello_timeout=0.2))
    peer = await peers(await serve(app))
    assert await peer.closed() == (1008, "no good hello within hello_timeout (0.2 s)")


async def test_a_client_that_said_hello_stays(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(hello_timeout=0.2))
    app.method("test.one")(lambda: 1)
    peer = await peers(await serve(app), hello={"secret": "secret"})
    await asyncio.sleep(0.4)
    assert (await peer.call("test.one"))["result"] == 1


async def test_clients_are_known_from_hello_to_close(app: App, serve: Serve, peers: Open) -> None:
    events: list[tuple[str, str]] = []
    app.on_connect(lambda client_id: events.append(("connect", client_id)))

    @app.on_disconnect
    async def gone(client_id: str) -> None:
        events.append(("disconnect", client_id))

    url = await serve(app)
    silent = await peers(url)
    peer = await peers(url, hello={"secret": "secret"})
    client_id = peer.client_id
    assert list(app.clients) == [client_id]
    await silent.close()
    await peer.close()
    other = await peers(url, hello={"secret": "secret"})
    assert events[:2] == [("connect", client_id), ("disconnect", client_id)]
    assert list(app.clients) == [other.client_id]
