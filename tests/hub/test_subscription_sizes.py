"""What the subscriptions of all clients may count together (LIM-7, `max_server_filter_size`)."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.conftest import Open, Serve
from wslink import App, Limits
from wslink.hub.shares import LEAST_SHARE
from wslink.hub.subscription_sizes import SUBSCRIPTION
from wslink.websocket import ServerProtocol

HELLO = {"secret": "secret", "features": ["subscribe"]}
MIB = 1024 * 1024
QUARTER: dict[str, Any] = {"row": list(range(3968))}
"""A filter that counts nearly 256 KiB with its subscription: 64 for each value."""


async def test_where_the_subscriptions_of_all_count_much_each_client_has_its_share(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_filter_size=MIB))
    app.topic("test.topic")
    url = await serve(app)
    first, second, third, fourth = [await peers(url, hello=HELLO) for _ in range(4)]
    for number in (1, 2, 3):  # it is alone
        assert "result" in await first.subscribe(number, "test.topic", QUARTER)
    assert "result" in await second.subscribe(1, "test.topic", QUARTER)
    error = (await second.subscribe(2, "test.topic", QUARTER | {"and": [QUARTER]}))["error"]
    assert error["code"] == -32003
    assert error["message"].startswith(f"over max_server_filter_size ({MIB}) in the subscriptions of all clients")
    for other in (third, fourth):  # below its share, whatever others have
        assert "result" in await other.subscribe(1, "test.topic", QUARTER)
    for number in range(4, 100):  # and these keep what they have, and may replace it
        answer = await first.subscribe(number, "test.topic", {})
    assert "error" in answer
    assert "result" in await first.subscribe(1, "test.topic", {"row": 1})
    assert "result" in await first.system("wslink.unsubscribe", {"subscription": 2})
    assert "result" in await second.subscribe(1, "test.topic", {})
    assert "result" in await second.subscribe(2, "test.topic", QUARTER)


def quarters(count: int) -> dict[str, Any]:
    """A filter that counts nearly so many times 256 KiB."""
    return {"and": [QUARTER] * count}


async def test_a_share_is_what_all_may_have_less_four_times_the_excess_among_those_that_have_any(
    serve: Serve, peers: Open
) -> None:
    app = App(secret="secret", limits=Limits(max_server_filter_size=4 * MIB, max_filter_size=16 * MIB))
    topic = app.topic("test.topic")
    url = await serve(app)
    first, second, third = [await peers(url, hello=HELLO) for _ in range(3)]
    assert "result" in await third.subscribe(1, "test.topic", {})
    await third.close()
    while topic.subscriptions:
        await asyncio.sleep(0.01)
    assert "result" in await first.subscribe(1, "test.topic", quarters(12))
    assert "result" in await second.subscribe(1, "test.topic", quarters(3))
    assert "result" in await second.subscribe(2, "test.topic", QUARTER)  # 4 MiB together
    assert "result" in await second.subscribe(1, "test.topic", quarters(4))  # 1.25 MiB of (4 - 4 * 0.25) / 2
    assert "error" in await second.subscribe(2, "test.topic", quarters(2))  # 1.5 MiB of (4 - 4 * 0.5) / 2
    assert "result" in await second.subscribe(2, "test.topic", QUARTER)


async def test_each_topic_of_a_pattern_counts(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_filter_size=0))
    for number in range(100):
        app.topic(f"test.topic{number}")
    url = await serve(app)
    peer = await peers(url, hello=HELLO)
    most = LEAST_SHARE // SUBSCRIPTION // 100
    answers = [await peer.subscribe(number + 1, "test.*", {}) for number in range(most + 1)]
    assert ["result" in answer for answer in answers] == [True] * most + [False]
    for number in range(100):  # declared later: nobody can be refused
        app.topic(f"test.more{number}")
    assert "error" in await peer.subscribe(most + 1, "test.topic1", {})
    assert "result" in await peer.system("wslink.unsubscribe", {"subscription": 1})
    assert "result" in await peer.subscribe(most + 1, "test.topic1", {})


async def test_a_pattern_counts_also_where_it_is_to_no_topic(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_filter_size=0, max_patterns=1000))
    peer = await peers(await serve(app), hello=HELLO)
    most = LEAST_SHARE // SUBSCRIPTION
    answers = [await peer.subscribe(number + 1, "test.*", {}) for number in range(most + 1)]
    assert ["result" in answer for answer in answers] == [True] * most + [False]


async def test_what_clients_that_have_gone_had_counts_no_more(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_server_filter_size=2 * LEAST_SHARE))
    topic = app.topic("test.topic")
    url = await serve(app)
    for _ in range(3):
        peer = await peers(url, hello=HELLO)
        for number in (1, 2):
            assert "result" in await peer.subscribe(number, "test.topic", QUARTER)
        await peer.close()
        while topic.subscriptions:
            await peers(url, hello=HELLO)


async def test_refused_subscriptions_leave_no_topics_behind(serve: Serve, peers: Open) -> None:
    """SUB-7: topics that only clients name stay as long as somebody is subscribed to them."""
    app = App(secret="secret", limits=Limits(max_filter_size=LEAST_SHARE))
    app.include(ServerProtocol())
    topics = app._hub.subscriptions.topics
    peer = await peers(await serve(app), hello=HELLO)
    assert "result" in await peer.subscribe(1, "test.topic", QUARTER)
    for number in range(2, 5):
        assert (await peer.subscribe(number, f"test.topic{number}", QUARTER))["error"]["code"] == -32003
    assert list(topics) == ["test.topic"]
    assert "result" in await peer.system("wslink.unsubscribe", {"subscription": 1})
    assert list(topics) == []


async def test_names_that_only_clients_know_have_a_bound(serve: Serve, peers: Open) -> None:
    """LIM-7. They are kept, and listed in errors for others."""
    app = App(secret="secret", limits=Limits(max_filter_text=20))
    app.include(ServerProtocol())
    app.topic("test.of_the_server_itself")
    peer = await peers(await serve(app), hello=HELLO)
    assert "result" in await peer.subscribe(1, "test.of_the_server_itself")
    assert "result" in await peer.subscribe(2, "t." + "x" * 18)
    error = (await peer.subscribe(3, "t." + "x" * 19))["error"]
    said = "the name of an undeclared topic is over max_filter_text (20) characters"
    assert (error["code"], error["message"]) == (-32602, said)
