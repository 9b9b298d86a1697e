"""A client with subscriptions on a server of the released API, whose topics are open (SUB-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import Open
from tests.released.serving import Protocol, serving
from wslink import register
from wslink.compat.hosting import host_of
from wslink.websocket import LinkProtocol

SUBSCRIBING = {"secret": "wslink-secret", "features": ["subscribe"]}


class Talk(LinkProtocol):
    @register("test.echo")
    def echo(self, value: Any = None) -> Any:
        return value


@pytest.fixture
async def talk() -> AsyncIterator[tuple[Talk, str, Protocol]]:
    protocol = Protocol(link := Talk())
    async with serving(protocol) as running:
        yield link, running.url(), protocol


async def test_any_topic_may_be_subscribed_to(talk: tuple[Talk, str, Protocol], peers: Open) -> None:
    link, url, _ = talk
    peer = await peers(url, hello=SUBSCRIBING)
    link.publish("a.topic", "before")
    assert (await peer.subscribe(1, "a.topic"))["result"] == {"delivery": "reliable"}
    assert (await peer.subscribe(2, "not published.yet"))["error"]["code"] == -32602
    assert (await peer.subscribe(2, "not_published.yet"))["result"] == {"delivery": "reliable"}
    link.publish("a.topic", "after")
    link.publish("b.topic", "not asked for")
    link.publish("not_published.yet", "now")
    for topic, payload, number in (("a.topic", "after", 1), ("not_published.yet", "now", 2)):
        message = await peer.publication()
        assert message["id"].startswith(f"publish:{topic}:")
        assert (message["result"], message["subscriptions"]) == (payload, [number])


async def test_topics_that_only_clients_named_go_with_them(talk: tuple[Talk, str, Protocol], peers: Open) -> None:
    link, url, protocol = talk
    await peers(url, hello={"secret": "wslink-secret"})
    peer = await peers(url, hello=SUBSCRIBING)
    link.publish("a.topic", 1)
    await peer.subscribe(1, "a.topic")
    await peer.subscribe(2, "b.topic")
    await peer.subscribe(3, "c.topic")
    topics = host_of(protocol).hub.subscriptions.topics
    assert set(topics) == {"a.topic", "b.topic", "c.topic"}
    await peer.system("wslink.unsubscribe", {"subscription": 2})
    assert set(topics) == {"a.topic", "c.topic"}
    await peer.close()
    await (await peers(url, hello={"secret": "wslink-secret"})).call("test.echo")
    assert set(topics) == {"a.topic"}


async def test_a_released_client_hears_topics_that_another_named(talk: tuple[Talk, str, Protocol], peers: Open) -> None:
    """ORD-4."""
    link, url, _ = talk
    released = await peers(url, 1, hello={"secret": "wslink-secret"})
    await (await peers(url, hello=SUBSCRIBING)).subscribe(1, "a.topic")
    link.publish("a.topic", 1)
    assert (await released.publication())["result"] == 1


async def test_a_topic_that_no_client_could_know_is_not_published(
    talk: tuple[Talk, str, Protocol], peers: Open
) -> None:
    link, url, protocol = talk
    heard: list[str] = []
    protocol.log_emitter.add_event_listener("error", heard.append)
    peer = await peers(url, hello={"secret": "wslink-secret"})
    for topic in ("with-dash", "", 5):
        link.publish(topic, 1)
    link.publish("a.topic", 2)
    assert (await peer.publication())["result"] == 2
    assert len(heard) == 3


async def test_patterns_stand_for_topics_that_clients_made_up_once_something_is_published(
    talk: tuple[Talk, str, Protocol], peers: Open
) -> None:
    """Patterns of many clients, over topics that as many make up, would cost the server their product."""
    link, url, protocol = talk
    early, late, maker = [await peers(url, hello=SUBSCRIBING) for _ in range(3)]
    await early.subscribe(1, "made.*")
    await maker.subscribe(7, "made.up")
    await late.subscribe(2, "**")
    topics = host_of(protocol).hub.subscriptions.topics
    assert [one.id for one in topics["made.up"].subscriptions] == [7]
    link.publish("made.up", "now")
    for peer, number in ((early, 1), (late, 2), (maker, 7)):
        message = await peer.publication()
        assert (message["result"], message["subscriptions"]) == ("now", [number])
