"""Sessions that outlive their connections (RES)."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import msgpack
import pytest

from tests.conftest import Serve
from tests.session.returning import FEATURES, Clients, Returning, gone
from wslink import App
from wslink.wire.limits import Limits


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_client_that_returns_is_the_same_client(app: App, serve: Serve, clients: Clients, engine: str) -> None:
    """RES-1, RES-6, RES-10: its id, its subscriptions, its calls and what is sent to it stay."""
    events: list[tuple[str, str]] = []
    for name in ("connect", "detach", "resume", "disconnect"):
        getattr(app, f"on_{name}")(lambda client_id, name=name: events.append((name, client_id)))
    gate = asyncio.Event()

    @app.method("test.slow")
    async def slow() -> str:
        await gate.wait()
        return "done"

    topic = app.topic("test.topic")
    client = clients(await serve(app, engine=engine))
    first = await client.connect()
    assert first["resume"].keys() == {"token", "epoch", "window", "heartbeat", "resumed"}
    assert first["resume"]["resumed"] is False
    assert (first["resume"]["window"], first["resume"]["heartbeat"]) == (60, 30)
    assert len(bytes.fromhex(first["resume"]["token"])) == 16
    await client.subscribe(1, "test.topic")
    seen = app.clients[client.client_id]
    call = await client.start("test.slow")
    await asyncio.sleep(0.1)
    await client.cut()
    await gone(app)
    assert app.clients[client.client_id] is seen
    gate.set()
    for number in range(10):
        topic.publish(number)
    again = await client.connect()
    assert again["clientID"] == first["clientID"]
    assert again["resume"]["resumed"] is True
    assert again["resume"]["epoch"] == first["resume"]["epoch"]
    assert await client.result(call) == "done"
    await client.until(lambda: len(client.publications) == 10)
    topic.publish("live")
    await client.until(lambda: len(client.publications) == 11)
    assert client.publications == [*range(10), "live"]
    await client.leave()
    await gone(app)
    await asyncio.sleep(0.05)
    assert events == [(name, first["clientID"]) for name in ("connect", "detach", "resume", "disconnect")]


async def test_messages_are_numbered_from_one_and_hello_is_not(app: App, serve: Serve, clients: Clients) -> None:
    """RES-2: acknowledgements, too, have the number 0."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    await client.connect()
    for value in range(3):
        assert await client.call("test.echo", value) == value
    assert len(await client.call("test.echo", bytes(300_000))) == 300_000
    assert client.numbers == [1, 2, 3, 4]


async def test_without_the_feature_nothing_changes(app: App, serve: Serve, clients: Clients) -> None:
    client = clients(await serve(app), ["subscribe"])
    assert "resume" not in await client.connect()
    await client.cut()
    await gone(app)
    assert not app.clients


async def test_what_was_sent_and_not_received_is_sent_again_under_its_number(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-2, RES-4, RES-6."""
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    for number in range(5):
        topic.publish(number)
    await client.until(lambda: len(client.publications) == 5)
    await client.cut()
    await gone(app)
    topic.publish(5)
    client.publications.clear()
    await client.connect(received=3, missing=[2])  # as if it had 1 and 3 alone
    await client.until(lambda: client.doubles == 4)
    await client.until(lambda: client.publications == [5])
    assert client.numbers == [2, 4, 5, 6, 7]


async def test_a_message_that_comes_again_is_dropped(app: App, serve: Serve, clients: Clients) -> None:
    """RES-3: a call is executed once."""
    calls: list[int] = []
    app.method("test.count")(calls.append)
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.count", 1)
    first = dict(client.sent)
    for _ in range(3):
        await client.cut()
        await gone(app)
        client.sent.update(first)
        answer = await client.connect()
        assert answer["resume"]["received"] == 1
        client.sent.update(first)
        await client._send(1, first[1])
    await client.call("test.count", 2)
    assert calls == [1, 2]


async def test_a_number_that_is_far_ahead_is_malformed(app: App, serve: Serve, clients: Clients) -> None:
    """RES-3, ERR-5."""
    app.method("test.echo")(lambda value: value)
    client = clients(await serve(app))
    await client.connect()
    client.sent_number = 100
    await client.start("test.echo", 1)
    await client.until(lambda: "system:malformed:0" in client.results)
    assert "number 101" in client.results["system:malformed:0"]["message"]
    client.sent_number = 0
    assert await client.call("test.echo", 1) == 1


async def test_what_passes_calls_that_wait_for_their_turn_is_not_far_ahead(
    app: App, serve: Serve, clients: Clients
) -> None:
    """RES-3, TURN-1, CAN-2."""
    app.method("test.wait")(lambda: time.sleep(0.002))
    client = clients(await serve(app), [*FEATURES, "cancel"])
    await client.connect()
    ids = [await client.start("test.wait") for _ in range(300)]
    client.sent_number += 1
    text = msgpack.packb([6, ids[-1]])
    client.sent[client.sent_number] = text
    await client._send(client.sent_number, text)
    await client.until(lambda: len(client.results) >= 300)
    assert set(client.results) == set(ids)
    assert client.results[ids[-1]]["code"] == -32800
    await client.until(lambda: not client.sent)


async def test_messages_are_acknowledged_in_time(app: App, serve: Serve, clients: Clients) -> None:
    """RES-5: within a second; at once for a MiB."""
    app.method("test.size")(len)
    client = clients(await serve(app))
    await client.connect()
    await client.call("test.size", b"small")
    await client.until(lambda: not client.sent, 2)
    assert client.acknowledgements[-1][3:] == [1, []]
    client.acknowledgements.clear()
    await client.call("test.size", bytes(1024 * 1024))
    await client.call("test.size", b"small")
    assert client.acknowledgements


async def test_flow_and_resume_share_acknowledgements(app: App, serve: Serve, clients: Clients) -> None:
    """RES-5, FLOW-3: counts begin anew with a connection."""
    app.method("test.big")(lambda: bytes(2_000_000))
    client = clients(await serve(app), ["flow", "resume", "subscribe"])
    await client.connect()
    for _ in range(2):
        await client.cut()
        await gone(app)
        await client.connect()
        call = await client.start("test.big")
        while call not in client.results:
            await asyncio.sleep(0.01)
            await client.acknowledge()
        await client.until(lambda: not client.sent)
    assert client.acknowledgements[-1][1] < 1000


async def test_a_request_of_a_sign_of_life_is_answered_at_once(app: App, serve: Serve, clients: Clients) -> None:
    """RES-11."""
    client = clients(await serve(app))
    await client.connect()
    await client.acknowledge(True)
    await client.until(lambda: bool(client.acknowledgements), 0.5)
    assert client.acknowledgements == [[1, 0, client.acknowledgements[0][2], 0, []]]


@pytest.mark.parametrize("flow", [[], ["flow"]])
async def test_of_latest_publications_the_newest_are_repeated(
    app: App, serve: Serve, clients: Clients, flow: list[str]
) -> None:
    """RES-6."""
    topic = app.topic("test.frame", delivery="latest")
    client = clients(await serve(app), [*FEATURES, *flow])
    await client.connect()
    await client.subscribe(1, "test.frame", window=8)
    topic.publish("old a", key="a")
    topic.publish("old b", key="b")
    await client.until(lambda: len(client.publications) == 2)
    client.publications.clear()
    client.last -= 2  # as if they had not arrived
    await client.cut()
    await gone(app)
    for number in range(5):
        topic.publish(f"a{number}", key="a")
    await client.connect()
    topic.publish("live", key="c")
    await client.until(lambda: len(client.publications) == 3)
    assert client.publications == ["a4", "old b", "live"]


async def test_a_publisher_does_not_wait_for_ever_for_a_client_that_is_away(serve: Serve, clients: Clients) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=50_000, max_resume=200_000, stall_timeout=0.2))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.topic")
    await client.cut()
    await gone(app)
    publishing = asyncio.ensure_future(_publish(topic, 6))
    await asyncio.sleep(0.5)
    assert not publishing.done()
    await client.connect()
    await asyncio.wait_for(publishing, 5)
    await client.until(lambda: len(client.publications) == 6)


async def _publish(topic: Any, count: int) -> None:
    for _ in range(count):
        await topic.publish_wait(bytes(30_000))


async def test_a_client_that_takes_nothing_can_return(serve: Serve, clients: Clients) -> None:
    """LIM-6, RES-6: its line may be dead without either end having been told."""
    app = App(secret="secret", limits=Limits(stall_timeout=0.3))
    topic = app.topic("test.topic")
    client = clients(await serve(app))
    first = await client.connect()
    await client.subscribe(1, "test.topic")
    await client._stop_reading()
    client.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for _ in range(30):
        topic.publish(bytes(1_000_000))
    await gone(app)
    assert (await client.connect())["clientID"] == first["clientID"]
    await client.until(lambda: len(client.publications) == 30)


@pytest.mark.parametrize("size", [1_000, 100_000])
async def test_what_all_clients_may_lack_is_bounded(serve: Serve, clients: Clients, size: int) -> None:
    """LIM-6: those for which most is kept go on, and cannot be resumed; those that acknowledge can."""
    app = App(secret="secret", limits=Limits(max_server_backlog=2_000_000))
    app.method("test.get")(lambda: bytes(size))
    url = await serve(app)
    idle, busy = clients(url), clients(url)
    for client in (idle, busy):
        await client.connect()
    for _ in range(3_000_000 // size):
        await idle.call("test.get")
    await busy.call("test.get")
    assert app._hub.backlog.bytes + app._hub.backlog.kept <= 2_000_000
    for client in (idle, busy):
        client.last -= 1
        client.results.clear()
        await client.cut()
    await gone(app)
    assert (await busy.connect())["resume"]["resumed"]
    idle.last = 1
    assert (await idle.connect())["resume"].get("reason") == "overflow"
    for client in (idle, busy):
        await client.leave()
    await gone(app)
    assert (app._hub.backlog.bytes, app._hub.backlog.kept) == (0, 0)


async def test_a_server_that_stops_ends_the_sessions_of_clients_that_are_away(
    app: App, serve: Serve, clients: Clients
) -> None:
    gone_clients: list[str] = []
    app.on_disconnect(gone_clients.append)
    client = clients(await serve(app))
    await client.connect()
    await client.cut()
    await gone(app)
    assert app._server is not None
    await app._server.stop()
    assert gone_clients == [client.client_id]


async def test_a_client_that_closes_is_not_waited_for(app: App, serve: Serve, clients: Clients) -> None:
    """RES-6."""
    client = clients(await serve(app))
    await client.connect()
    for code in (1000, 1001):
        await client.leave(code)
        await gone(app)
        assert not app.clients
        assert (await client.connect())["resume"]["reason"] == "expired"
    await client.leave(4000)
    await gone(app)
    assert (await client.connect())["resume"]["resumed"]


async def test_clients_of_one_address_that_do_not_return_keep_no_other_from_it(serve: Serve) -> None:
    """LIM-18: where more are away than may be, an address of which many are makes room."""
    app = App(secret="secret", limits=Limits(max_clients=6))
    app.method("test.echo")(lambda value: value)
    url = await serve(app)
    honest = Returning(url)
    await honest.http.close()
    honest.http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.2", 0)))
    first = await honest.connect()
    await honest.cut()
    deserters = [Returning(url) for _ in range(15)]
    for deserter in deserters:
        await deserter.connect()
        await deserter.cut()
    assert (await honest.connect())["clientID"] == first["clientID"]
    assert honest.answer["resume"]["resumed"]
    assert await honest.call("test.echo", 5) == 5
    for client in (honest, *deserters):
        await client.http.close()
