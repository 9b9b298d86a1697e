"""Subscriptions and publications in the order of what happens, on a hub whose connections are driven by hand."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from wslink import Limits, NotSerializable, Subscription, UsageError
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.identity import ANONYMOUS, Credentials, Identity, Opening
from wslink.session.session import Session
from wslink.session.stall import Progress
from wslink.wire.frames import Frame

# Races, on a hub whose connections are driven by hand.


class Recorder:
    """A connection that keeps the messages it is given. `stuck`: it takes none, as a client that does not read."""

    def __init__(self, hub: Hub, *features: str, stuck: bool = False) -> None:
        self.messages: list[dict[str, Any]] = []
        self.writable = True
        self.session = Session(hub, self, Opening())
        token = {"secret": "secret", "features": list(features)}
        self.receive({"id": "system:c0:0", "method": "wslink.hello", "args": [token]})
        self.writable = not stuck

    progress = Progress(0)

    def limit_unsent(self, limit: int) -> None:
        pass

    def cork(self) -> None:
        pass

    uncork = pause_reading = resume_reading = cork

    def send(self, frames: Sequence[Frame]) -> None:
        self.messages += [json.loads(bytes(frame.joined())) for frame in frames]

    def close(self, code: int, reason: str) -> None:
        pass

    def receive(self, message: dict[str, Any]) -> None:
        self.session.receive(False, json.dumps(message))

    def system(self, method: str, **argument: Any) -> None:
        self.receive({"id": "system:test:1", "method": f"wslink.{method}", "args": [argument]})

    @property
    def results(self) -> list[Any]:
        return [message["result"] for message in self.messages[1:]]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(None, lambda credentials: ANONYMOUS, Limits(max_backlog=2300))
    hub.start()
    yield hub
    await hub.stop()


async def test_nothing_published_before_unsubscribing_comes_after_its_result(hub: Hub) -> None:
    topic = hub.subscriptions.topic("test.topic")
    client = Recorder(hub, "subscribe")
    for number in (1, 2):
        client.system("subscribe", subscription=number, topic="test.topic")
    thread = threading.Thread(target=topic.publish, args=("news",))
    thread.start()
    thread.join()
    client.system("unsubscribe", subscription=1)
    await asyncio.sleep(0)
    assert [message.get("subscriptions") for message in client.messages[3:]] == [None, [2]]


async def test_what_a_farewell_publishes_comes_after_what_caused_it(hub: Hub) -> None:
    topic = hub.subscriptions.topic("test.topic")
    topic.on_unsubscribe(lambda subscription: topic.publish("left"))
    stalled = [Recorder(hub, stuck=True) for _ in range(300)]
    reader = Recorder(hub)
    topic.publish("x" * 140)
    topic.publish("y" * 140)
    assert [result[:4] for result in reader.results] == ["xxxx", "yyyy", *["left"] * 300]
    numbers = [int(message["id"].rpartition(":")[2]) for message in reader.messages[1:]]
    assert numbers == sorted(numbers)
    assert not any(connection.session.client_id in hub.sessions for connection in stalled)


async def test_a_handler_may_make_topics_and_hears_of_no_subscription_that_has_ended(hub: Hub) -> None:
    heard: list[str] = []
    topic = hub.subscriptions.topic("test.topic")

    @topic.on_subscribe
    def flood(subscription: Subscription) -> None:
        hub.subscriptions.topic(f"test.more_{len(hub.subscriptions.topics)}")
        for _ in range(5):
            topic.publish("x" * 140, to=subscription.client_id)

    topic.on_subscribe(lambda subscription: heard.append("subscribed"))
    topic.on_unsubscribe(lambda subscription: heard.append("ended"))
    reader = Recorder(hub)
    assert heard == ["subscribed"]
    assert len(reader.results) == 5
    stuck = Recorder(hub, "subscribe", stuck=True)
    stuck.system("subscribe", subscription=1, topic="test.topic")
    assert heard == ["subscribed", "ended"]
    assert [subscription.client_id for subscription in topic.subscriptions] == [reader.session.client_id]


async def test_a_payload_that_cannot_be_sent_to_one_generation_ends_nobodys_call(hub: Hub) -> None:
    topic = hub.subscriptions.topic("test.topic", "latest")
    client = Recorder(hub)
    for payload, key, error in (("\ud800", None, NotSerializable), ("fine", [1], UsageError)):
        with pytest.raises(error):
            topic.publish(payload, key=key)  # type: ignore[arg-type]
    assert client.results == []


async def test_a_server_that_stops_sends_what_waits_and_one_at_its_bound_forgets_it(hub: Hub) -> None:
    topic = hub.subscriptions.topic("test.topic")
    called: list[str] = []
    hub.service.methods.add(Method("test.call", lambda: called.append("called")))
    kept, dropped = Recorder(hub, stuck=True), Recorder(hub, stuck=True)
    topic.publish("x" * 100)
    topic.publish("y" * 100, to=dropped.session.client_id)
    assert (dropped.results, dropped.session.queue.waiting, len(dropped.session.queue)) == ([], 0, 0)
    dropped.receive({"id": "rpc:c1:1", "method": "test.call"})
    await hub.stop()
    assert kept.results == ["x" * 100]
    assert dropped.results == called == []


async def test_a_check_of_the_secret_that_raises_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    def raises(credentials: Credentials) -> Identity | None:
        raise LookupError("no such user")

    async def raises_later(credentials: Credentials) -> Identity | None:
        return raises(credentials)

    for check in (raises, raises_later):
        hub = Hub(None, check, Limits())
        hub.start()
        client = Recorder(hub)
        await asyncio.sleep(0.01)
        assert client.messages[0]["error"] == {"code": -32000, "message": "Authentication failed"}
        assert not hub.sessions
        client.session.close(1000, "")
        await hub.stop()


async def test_the_latest_of_a_number_is_not_the_latest_of_a_flag(hub: Hub) -> None:
    topic = hub.subscriptions.topic("test.topic", "latest")
    client = Recorder(hub, stuck=True)
    for value in (1, True, 1.0):
        topic.publish(repr(value), tags={"row": value})
    client.writable = True
    client.session.resume()
    assert client.results == ["1.0", "True"]
