"""Clients that do not read, and those beside them."""

from __future__ import annotations

import asyncio

import psutil

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.queueing import MIB
from wslink import App, Limits

HELLO = {"secret": "secret"}


async def stalled(peers: Open, url: str) -> Peer:
    """A client that has stopped reading."""
    peer = await peers(url, hello=HELLO)
    peer.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    return peer


async def test_a_stalled_client_delays_nobody_and_is_disconnected_at_its_bound(serve: Serve, peers: Open) -> None:
    """SUB-12."""
    app = App(secret="secret", limits=Limits(max_backlog=20 * MIB))
    frames = app.topic("test.frame")
    url = await serve(app)
    stopped, healthy = await stalled(peers, url), await peers(url, hello=HELLO)
    payload = bytes(MIB)
    before = psutil.Process().memory_info().rss
    for n in range(80):
        frames.publish({"n": n, "pixels": payload})
        assert (await healthy.publication())["result"]["n"] == n
    assert list(app.clients) == [healthy.client_id]
    assert psutil.Process().memory_info().rss - before < 60 * MIB
    stopped.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    code, reason = await stopped.closed()
    assert (code, reason[:33]) == (1008, "over max_backlog (20971520 bytes)")


async def test_a_stalled_client_of_a_latest_topic_gets_the_newest_when_it_reads_again(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("test.frame", delivery="latest")
    url = await serve(app)
    stopped, healthy = await stalled(peers, url), await peers(url, hello=HELLO)
    for n in range(120):
        for row in (0, 1):
            frames.publish({"n": n, "row": row, "pixels": bytes(MIB)}, tags={"row": row})
        for _ in (0, 1):
            await healthy.publication()
    assert len(app.clients) == 2
    stopped.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    seen = []
    while (0, 119) not in seen or (1, 119) not in seen:
        result = (await stopped.publication())["result"]
        seen.append((result["row"], result["n"]))
    assert len(seen) < 60
    assert seen == sorted(seen, key=lambda pair: pair[1])


async def test_a_message_larger_than_the_bound_is_sent_when_nothing_waits(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=MIB))
    app.method("test.big")(lambda: bytes(9 * MIB))
    peer = await peers(await serve(app), hello=HELLO)
    assert len((await peer.call("test.big"))["result"]) == 9 * MIB


async def test_a_closed_socket_does_not_stop_a_broadcast(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    url = await serve(app)
    all_peers = [await peers(url, hello=HELLO) for _ in range(5)]
    all_peers[1].socket._response.connection.transport.abort()  # type: ignore[union-attr]
    topic.publish("news")
    for peer in (all_peers[0], *all_peers[2:]):
        assert (await peer.publication())["result"] == "news"
    while len(app.clients) > 4:
        await asyncio.sleep(0.01)
