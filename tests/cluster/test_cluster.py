"""Several workers as one application, with a broker that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.waiting import until
from wslink import App, Call, CallError, Client, Limits, connect
from wslink.cluster import cluster
from wslink.cluster.memory_log import MemoryBroker
from wslink.errors import BrokerError, ClientGone
from wslink.wire.v2_msgpack import V2Encoder

HELLO = {"secret": "secret", "features": ["subscribe", "arrays"]}


class Worker:
    """An App that other workers know."""

    def __init__(self, broker: MemoryBroker, **options: Any) -> None:
        self.app = App(secret="secret", broker=broker, **options)
        self.told: list[tuple[str, str, str]] = []
        self.app.on_join(lambda client, group: self.told.append(("joined", client.id, group)))
        self.app.on_leave(lambda client, group: self.told.append(("left", client.id, group)))
        self.url = ""

        @self.app.method("test.join")
        def join(group: str, call: Call) -> bool:
            return self.app.clients[call.client_id].join(group)


Start = Callable[..., Awaitable[Worker]]


@pytest.fixture
def broker() -> MemoryBroker:
    return MemoryBroker()


@pytest.fixture
def start(serve: Serve, broker: MemoryBroker) -> Start:
    async def start(**options: Any) -> Worker:
        worker = Worker(broker, **options)
        worker.url = await serve(worker.app)
        return worker

    return start


async def test_a_publication_reaches_the_clients_of_every_worker(start: Start, peers: Open) -> None:
    one, two = await start(), await start()
    topics = [worker.app.topic("test.topic") for worker in (one, two)]
    near, far = await peers(one.url, hello=HELLO), await peers(two.url, hello=HELLO)
    old, older = await peers(two.url, hello={"secret": "secret"}), await peers(two.url, 1, hello={"secret": "secret"})
    for peer in (near, far):
        await peer.subscribe(1, "test.topic", {"row": {"gte": 3}})
    large = np.arange(100_000, dtype="f4")
    payloads: list[Any] = ["small", {"a": [1, b"2"]}, large]
    for number, payload in enumerate(payloads):
        assert topics[0].publish(payload, {"row": 3 + number}) == 1
    topics[0].publish("of no interest", {"row": 2})
    for peer in (near, far):
        got = [(await peer.receive())["result"] for _ in range(3)]
        assert got[:2] == ["small", {"a": [1, b"2"]}]
        assert bytes(got[2].data)[-400_000:] == large.tobytes()
    for peer in (old, older):
        got = [(await peer.receive())["result"] for _ in range(4)]
        assert (got[0], got[2] if peer.generation == 2 else large.tobytes()) == ("small", large.tobytes())
        assert got[3:] == ["of no interest"]
    topics[1].publish("back", {"row": 9})
    for peer in (near, far, old, older):
        assert (await peer.receive())["result"] == "back"


async def test_what_no_filter_wants_is_not_decoded(start: Start, peers: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = await start(), await start()
    topics = [worker.app.topic("test.topic") for worker in (one, two)]
    peer = await peers(two.url, hello={"secret": "secret", "features": ["subscribe"]})
    await peer.subscribe(1, "test.topic", {"row": 1})
    decoded: list[Any] = []
    original = V2Encoder.unpack

    def counting(self: Any, packed: Any) -> Any:
        decoded.append(packed)
        return original(self, packed)

    monkeypatch.setattr(V2Encoder, "unpack", counting)
    for row in (2, 3, 1):
        topics[0].publish(row, {"row": row})
    assert (await peer.receive())["result"] == 1
    assert len(decoded) == 1, "this client takes no arrays, so that its payload is encoded anew"


async def test_clients_and_groups_are_those_of_all_workers(start: Start, peers: Open) -> None:
    one, two = await start(), await start()
    presence = one.app.presence("room.presence", "room")
    topic = one.app.topic("test.topic")
    watcher = await peers(one.url, hello=HELLO)
    await watcher.subscribe(1, presence.name)
    assert (await watcher.receive())["result"] == {"present": []}
    far, other = await peers(two.url, hello=HELLO), await peers(two.url, hello=HELLO)
    for peer in (far, other):
        assert "error" in await peer.subscribe(1, "test.topic"), "this worker has not heard of it"
    assert (await far.call("test.join", "room"))["result"] is True
    assert (await watcher.receive())["result"] == {"joined": {"id": far.client_id, "user": ""}}
    assert sorted(one.app.clients) == sorted([watcher.client_id, far.client_id, other.client_id])
    assert [client.id for client in one.app.group("room")] == [far.client_id]
    client: Client = one.app.clients[far.client_id]
    assert (client.address, client.groups, client.waiting) == ("127.0.0.1", ("room",), 0)
    two.app.topic("test.topic")
    for peer in (far, other):
        await peer.subscribe(2, "test.topic")
    topic.publish("to the group", to=one.app.group("room"))
    topic.publish("to one", to=other.client_id)
    topic.publish("to the rest", exclude=client)
    assert (await far.receive())["result"] == "to the group"
    assert [(await other.receive())["result"] for _ in range(2)] == ["to one", "to the rest"]
    assert one.app.clients[other.client_id].join("room") is True
    assert (await watcher.receive())["result"]["joined"]["id"] == other.client_id
    assert (one.told, two.told) == (
        [],
        [("joined", far.client_id, "room"), ("joined", other.client_id, "room")],
    )
    client.disconnect("go home")
    assert (await watcher.receive())["result"]["left"]["id"] == far.client_id
    await until(lambda: far.client_id not in one.app.clients)
    assert two.told[2:] == [("left", far.client_id, "room")]


async def test_the_newest_value_of_a_key_is_kept_by_all(start: Start, peers: Open) -> None:
    one, two = await start(), await start()
    topics = [worker.app.topic("test.state", delivery="latest", retain=True) for worker in (one, two)]
    for number in range(20):
        topics[number % 2].publish(number, {"row": number % 3}, key=("row", number % 3))
    three = await start()
    three.app.topic("test.state", delivery="latest", retain=True)
    await asyncio.sleep(0.3)
    for worker in (one, two, three):
        peer = await peers(worker.url, hello=HELLO)
        await peer.subscribe(1, "test.state")
        assert sorted([(await peer.receive())["result"] for _ in range(3)]) == [17, 18, 19], worker.url


async def test_while_the_broker_is_away_publications_wait_and_then_fail(
    start: Start, peers: Open, broker: MemoryBroker
) -> None:
    """LIM-21."""
    one, two = await start(limits=Limits(max_broker_backlog=100_000)), await start()
    topics = [worker.app.topic("test.topic") for worker in (one, two)]
    near, far = await peers(one.url, hello=HELLO), await peers(two.url, hello=HELLO)
    for peer in (near, far):
        await peer.subscribe(1, "test.topic")
    broker.away = True
    sent = 0
    with pytest.raises(BrokerError, match="max_broker_backlog .100000 bytes. wait for other workers"):
        for number in range(1_000):
            topics[0].publish([number, "x" * 1_000])
            sent += 1
    assert 50 < sent < 100
    broker.away = False
    for peer in (near, far):
        assert [(await peer.receive())["result"][0] for _ in range(sent)] == list(range(sent))
    assert topics[0].publish([sent, ""]) == 1
    assert (await far.receive())["result"][0] == sent


async def test_clients_learn_that_publications_were_lost(start: Start, peers: Open, broker: MemoryBroker) -> None:
    one, two = await start(), await start()
    topics = [worker.app.topic("test.topic") for worker in (one, two)]
    states = [worker.app.topic("test.state", delivery="latest", retain=True) for worker in (one, two)]
    near, far = await peers(one.url, hello=HELLO), await peers(two.url, hello=HELLO)
    watcher = await peers(two.url, hello=HELLO)
    await watcher.subscribe(1, "test.state")
    for peer in (near, far):
        await peer.subscribe(1, "test.topic")
    topics[0].publish("first")
    states[0].publish("old")
    assert (await far.receive())["result"] == "first"
    assert (await watcher.receive())["result"] == "old"
    broker.forgets = 2
    topics[0].publish("lost")
    states[0].publish("new")
    await asyncio.sleep(0.05)
    topics[0].publish("after")
    frame = await far.socket.receive(10)
    assert frame.data == 1012, "a client that is promised each of them is told by the end of its session"
    assert (await watcher.receive())["result"] == "new", "and the newest of a key is asked for again"
    assert [(await near.receive())["result"] for _ in range(3)] == ["first", "lost", "after"]


async def test_a_worker_that_is_dead_is_noticed(
    start: Start, peers: Open, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "BEAT", 0.2)
    monkeypatch.setattr(cluster, "DEAD_AFTER", 0.7)
    one, two, three = await start(), await start(), await start()
    workers = [one, two, three]
    peer: Peer = await peers(three.url, hello=HELLO)
    await peer.call("test.join", "room")
    await until(lambda: all(peer.client_id in worker.app.clients for worker in workers))
    stopped: Any = three.app._hub.cluster
    for task in stopped._tasks:  # as if it were stopped
        task.cancel()
    await until(lambda: not any(peer.client_id in worker.app.clients for worker in (one, two)))
    assert not one.app.group("room")
    assert sorted(one.told + two.told) == [("left", peer.client_id, "room")]
    stopped._tasks = []
    stopped.begin()
    await until(lambda: all(peer.client_id in worker.app.clients for worker in workers))
    assert [client.id for client in one.app.group("room")] == [peer.client_id]


async def test_what_a_worker_published_that_stood_still_is_not_lost_in_silence(
    start: Start, peers: Open, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "BEAT", 0.2)
    monkeypatch.setattr(cluster, "DEAD_AFTER", 0.7)
    one, two = await start(), await start()
    topics = [worker.app.topic("test.topic") for worker in (one, two)]
    near, far = await peers(one.url, hello=HELLO), await peers(two.url, hello=HELLO)
    await near.subscribe(1, "test.topic")
    topics[1].publish("before")
    assert (await near.receive())["result"] == "before"
    log: Any = broker.logs[1]
    log.held = True
    topics[1].publish("while it stood still")
    await until(lambda: far.client_id not in one.app.clients)
    log.held = False
    assert (await near.socket.receive(10)).data == 1012
    again = await peers(one.url, hello=HELLO)
    await again.subscribe(1, "test.topic")
    await until(lambda: far.client_id in one.app.clients)
    topics[1].publish("after")
    assert (await again.receive())["result"] == "after"


async def test_a_broker_that_cannot_be_reached_is_told_at_once(
    start: Start, broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.2)
    broker.away = True
    with pytest.raises(BrokerError, match="the broker memory cannot be reached"):
        await start()


async def test_a_client_of_another_worker_is_called(start: Start) -> None:
    one, two = await start(), await start()
    async with await connect(two.url, secret="secret") as link:

        async def double(number: int, by: int = 2) -> Any:
            if number < 0:
                raise ValueError("too small")
            if number == 99:
                await asyncio.sleep(60)
            return [number * by, np.arange(number, dtype="i4")]

        link.handle("page.double", double)
        await until(lambda: link.client_id in one.app.clients)
        client = one.app.clients[link.client_id]
        result = await client.call("page.double", 3, by=3)
        assert (result[0], list(result[1])) == (9, [0, 1, 2])
        with pytest.raises(CallError, match="too small"):
            await client.call("page.double", -1)
        with pytest.raises(asyncio.TimeoutError):
            await client.call("page.double", 99, timeout=0.1)
        waiting = asyncio.ensure_future(client.call("page.double", 99))
        await asyncio.sleep(0.05)
    with pytest.raises(ClientGone):
        await asyncio.wait_for(waiting, 5)
