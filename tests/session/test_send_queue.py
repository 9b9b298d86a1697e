"""The bounded queue in front of a client, and clients that do not read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import psutil
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits
from wslink.errors import LimitExceeded
from wslink.session.send_queue import SendQueue
from wslink.wire.frames import Message, text_frame

HELLO = {"secret": "secret"}
MIB = 1024 * 1024


def one(text: str) -> Message:
    frame = text_frame(text.encode())
    return Message((frame,), frame.size)


def drain(outbox: SendQueue) -> list[str]:
    texts = []
    while (frame := outbox.next()) is not None:
        texts.append(bytes(frame.joined()).decode())
    return texts


def test_a_newer_message_takes_the_place_of_the_one_it_replaces() -> None:
    outbox = SendQueue(100)
    for key, text in ((None, "a"), ("k", "b1"), (None, "c"), ("k", "b2"), ("l", "d"), ("k", "b3")):
        outbox.put(one(text), key)
    assert outbox.waiting == 5
    assert outbox.dropped == 2
    assert drain(outbox) == ["a", "b3", "c", "d"]
    assert outbox.waiting == 0


def test_a_message_that_has_begun_is_not_replaced() -> None:
    outbox = SendQueue(100)
    frames = (text_frame(b"1/2"), text_frame(b"2/2"))
    outbox.put(Message(frames, 6), "k")
    first = outbox.next()
    assert first is frames[0]
    outbox.put(one("new"), "k")
    assert drain(outbox) == ["2/2", "new"]


def test_the_bound_is_on_what_waits() -> None:
    outbox = SendQueue(10)
    outbox.put(one("x" * 50))
    with pytest.raises(LimitExceeded, match=r"max_outbox \(10 bytes\)"):
        outbox.put(one("y"))
    assert drain(outbox) == ["x" * 50]
    outbox.put(one("z"))


def test_a_message_that_is_being_sent_does_not_count_as_waiting() -> None:
    outbox = SendQueue(10)
    frames = (text_frame(b"x" * 50), text_frame(b"y" * 50))
    outbox.put(Message(frames, 100))
    assert outbox.next() is frames[0]
    for n in range(2):
        outbox.put(one(str(n) * 5))
    with pytest.raises(LimitExceeded):
        outbox.put(one("2"))
    assert drain(outbox) == ["y" * 50, "00000", "11111"]


async def stalled(peers: Open, url: str) -> Peer:
    """A client that has stopped reading."""
    peer = await peers(url, hello=HELLO)
    peer.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    return peer


@pytest.fixture
async def flowing() -> AsyncIterator[None]:
    yield
    gc.collect()


async def test_a_stalled_client_delays_nobody_and_is_disconnected_at_its_bound(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=20 * MIB))
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
    assert (code, reason[:33]) == (1008, "over max_outbox (20971520 bytes) ")


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
