"""What reaches a client that is sent more than it can take at once, and when it is cut off (LIM-6, SUB-12, TURN-2)."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from typing import Literal

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits
from wslink.hub.topics import Topic

HELLO = {"secret": "secret"}
MIB = 1024 * 1024


def in_one_step(topic: Topic, count: int) -> None:
    for _ in range(count):
        topic.publish(bytes(MIB))


async def in_turns(topic: Topic, count: int) -> None:
    for _ in range(count):
        topic.publish(bytes(MIB))
        await asyncio.sleep(0)


def stop_reading(peer: Peer) -> None:
    peer.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]


def read_on(peer: Peer) -> None:
    peer.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]


async def test_calls_are_taken_while_one_large_message_is_being_sent(serve: Serve, peers: Open) -> None:
    """TURN-2: however large it is; small results pass it."""
    app = App(secret="secret", limits=Limits(max_outbox=MIB))
    app.method("test.big")(lambda: bytes(64 * MIB))
    app.method("test.quick")(lambda: 1)
    peer = await peers(await serve(app), hello=HELLO)
    stop_reading(peer)
    big = await peer.start("test.big")
    await asyncio.sleep(0.3)
    quick = await peer.start("test.quick")
    await asyncio.sleep(0.1)
    read_on(peer)
    assert (await peer.receive())["id"] == quick
    assert (await peer.receive())["id"] == big


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("burst", [in_one_step, in_turns, "thread"])
async def test_a_burst_reaches_a_client_that_reads(
    burst: Callable[[Topic, int], None] | str, generation: int, engine: str, app: App, serve: Serve, peers: Open
) -> None:
    topic = app.topic("test.topic")

    @app.method("test.burst", thread=burst == "thread")
    def publish() -> object:
        return in_one_step(topic, 100) if burst == "thread" else burst(topic, 100)  # type: ignore[operator]

    peer = await peers(await serve(app, engine=engine), generation, hello=HELLO)
    id_ = await peer.start("test.burst")
    assert "result" in await peer.answer(id_)
    for _ in range(100):
        assert (await peer.publication())["result"] == bytes(MIB)


async def test_results_reach_a_client_that_asks_for_many_at_once(app: App, serve: Serve, peers: Open) -> None:
    @app.method("test.array")
    def array(size: int) -> bytes:
        return bytes(size)

    peer = await peers(await serve(app), hello=HELLO)
    ids = [await peer.start("test.array", 45 * MIB) for _ in range(5)]
    for id_ in ids:
        assert len((await peer.answer(id_))["result"]) == 45 * MIB


async def test_no_calls_are_taken_from_a_client_for_which_much_waits(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=MIB))
    made = 0

    @app.method("test.big")
    def big() -> bytes:
        nonlocal made
        made += 1
        return bytes(4 * MIB)

    app.method("test.quick")(lambda: 1)
    url = await serve(app)
    peer, other = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    stop_reading(peer)
    ids = [await peer.start("test.big") for _ in range(20)]
    for _ in range(5):
        assert (await other.call("test.quick"))["result"] == 1
        await asyncio.sleep(0.02)
    assert made < 8
    read_on(peer)
    for id_ in ids:
        assert len((await peer.answer(id_))["result"]) == 4 * MIB
    assert made == 20


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_a_client_that_takes_nothing_is_cut_off_in_time(
    engine: str, serve: Serve, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    app = App(secret="secret", limits=Limits(stall_timeout=0.5))
    topic = app.topic("test.topic")
    url = await serve(app, engine=engine)
    stopped, healthy = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    stop_reading(stopped)
    start = time.monotonic()
    with caplog.at_level(logging.WARNING, "wslink"):
        for _ in range(20):
            topic.publish(bytes(MIB))
            await healthy.publication()
        while len(app.clients) > 1:
            await asyncio.sleep(0.01)
    assert 0.3 < time.monotonic() - start < 5
    assert list(app.clients) == [healthy.client_id]
    [line] = [record.getMessage() for record in caplog.records if "stall_timeout" in record.getMessage()]
    assert stopped.client_id in line
    assert "bytes wait" in line
    read_on(stopped)  # or its end would be waited for


async def test_a_client_that_reads_slowly_is_not_cut_off(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(stall_timeout=0.5))
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)
    in_one_step(topic, 30)

    async def breathe() -> None:  # at 5 MiB/s or so
        while True:
            stop_reading(peer)
            await asyncio.sleep(0.1)
            read_on(peer)
            await asyncio.sleep(0.002)

    breathing = asyncio.create_task(breathe())
    for _ in range(30):
        assert (await peer.publication())["result"] == bytes(MIB)
    breathing.cancel()
    assert app.clients[peer.client_id].waiting == 0


async def test_a_client_over_the_hard_bound_is_cut_off_at_once(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_backlog=20 * MIB))
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)
    stop_reading(peer)
    in_one_step(topic, 60)
    assert not app.clients
    read_on(peer)
    code, reason = await peer.closed()
    assert (code, reason[:16]) == (1008, "over max_backlog")


async def test_what_waits_for_several_counts_once_for_the_server(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_backlog=40 * MIB))
    topic = app.topic("test.topic")
    url = await serve(app)
    stopped = [await peers(url, hello=HELLO) for _ in range(4)]
    for peer in stopped:
        stop_reading(peer)
    in_one_step(topic, 30)
    await asyncio.sleep(0.05)
    assert len(app.clients) == 4
    for peer in stopped[1:]:
        for _ in range(8):
            topic.publish(bytes(MIB), to=peer.client_id)
    await asyncio.sleep(0.05)
    assert 0 < len(app.clients) < 4
    for peer in stopped:
        read_on(peer)


async def test_a_publisher_may_wait_for_its_slowest_subscriber(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=4 * MIB))
    topic, latest = app.topic("test.topic"), app.topic("test.latest", delivery="latest")
    url = await serve(app)
    peer, other = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    stop_reading(peer)
    published, most = 0, 0

    async def publish() -> None:
        nonlocal published, most
        for _ in range(60):
            assert await topic.publish_wait(bytes(MIB)) == 2
            published += 1
            most = max(most, topic.waiting)

    publishing = asyncio.create_task(publish())
    reading = asyncio.create_task(asyncio.wait_for(_take(other, 60), 20))
    await asyncio.sleep(0.3)
    assert published < 40
    assert app.clients[peer.client_id].waiting == topic.waiting > 4 * MIB
    assert await latest.publish_wait("now") == 2
    read_on(peer)
    await _take(peer, 60)
    await asyncio.gather(publishing, reading)
    assert most < 7 * MIB
    assert topic.waiting == 0


async def _take(peer: Peer, count: int) -> None:
    while count:
        count -= (await peer.publication())["result"] != "now"


async def test_a_publisher_does_not_wait_for_a_client_that_has_gone(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=MIB, stall_timeout=0.5))
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)
    stop_reading(peer)
    for _ in range(30):
        await asyncio.wait_for(topic.publish_wait(bytes(MIB)), 5)
    assert not app.clients
    read_on(peer)


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
async def test_a_publisher_that_waits_for_nobody_leaves_others_their_turn(
    serve: Serve, peers: Open, delivery: Literal["reliable", "latest"]
) -> None:
    app = App(secret="secret")
    topic, ending = app.topic("test.topic", delivery=delivery), time.monotonic() + 10

    async def publish() -> None:
        while time.monotonic() < ending:  # for ever, but for the sake of a test that fails
            await topic.publish_wait("on and on")

    url = await serve(app)
    publishing = asyncio.create_task(publish())
    peer = await peers(url, hello=HELLO)
    assert (await peer.publication())["result"] == "on and on"
    assert not publishing.done()
    publishing.cancel()


async def test_publications_of_other_threads_reach_a_client_that_reads(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)
    threads = [threading.Thread(target=in_one_step, args=(topic, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        await peer.publication()
    for thread in threads:
        thread.join()
