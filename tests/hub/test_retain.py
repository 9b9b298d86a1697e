"""What subscribers that come later are sent of what was published before (SUB-14)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits, NotSerializable, UsageError

VECTORS = Path(__file__).parents[1] / "vectors"
KINDS = [["subscribe", "flow"], ["subscribe"], ["subscribe", "arrays"]]


async def published(peer: Peer, seconds: float = 0.2) -> list[Any]:
    """The payloads that come until nothing does for a while."""
    found = []
    with contextlib.suppress(asyncio.TimeoutError):
        while True:
            found.append((await asyncio.wait_for(peer.publication(), seconds))["result"])
    return found


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
@pytest.mark.parametrize("features", KINDS)
@pytest.mark.parametrize("generation", [1, 2])
async def test_a_new_subscription_gets_the_newest_value_of_each_key_that_it_matches(
    app: App, serve: Serve, peers: Open, delivery: Any, features: list[str], generation: int
) -> None:
    """SUB-14."""
    state = app.topic("test.state", delivery=delivery, retain=True)
    for row in (1, 2, 1, 3):  # before it is served
        state.publish({"row": row, "data": b"x"}, tags={"row": row})
    peer = await peers(await serve(app), generation, hello={"features": features})
    await peer.subscribe(1, "test.state", {"row": [1, 2]})
    assert await published(peer) == [{"row": row, "data": b"x"} for row in (2, 1)]
    state.publish("newer", tags={"row": 2})
    assert await published(peer) == ["newer"]
    await peer.subscribe(1, "test.state", {"row": [2, 3]})
    assert await published(peer) == [{"row": 3, "data": b"x"}]
    await peer.subscribe(2, "test.state", {"row": 2})
    assert await published(peer) == ["newer"]


@pytest.mark.parametrize("generation", [1, 2])
async def test_released_clients_get_it_with_their_hello(app: App, serve: Serve, peers: Open, generation: int) -> None:
    """ORD-4."""
    state = app.topic("test.state", retain=True)
    state.publish("a", key="a")
    state.publish(np.arange(3, dtype="<u2"), key="b")
    peer = await peers(await serve(app), generation, hello={})
    assert await published(peer) == ["a", b"\0\0\1\0\2\0"]


async def test_nothing_is_kept_of_what_was_for_one_client(app: App, serve: Serve, peers: Open) -> None:
    state = app.topic("test.state", retain=True)
    url = await serve(app)
    first = await peers(url, hello={})
    state.publish("secret", to=first.client_id)
    assert await published(first) == ["secret"]
    state.publish("for others", exclude=first.client_id)
    second = await peers(url, hello={})
    assert await published(first) == []
    assert await published(second) == ["for others"]


async def test_the_payload_may_be_changed_after_it_was_published(app: App, serve: Serve, peers: Open) -> None:
    state = app.topic("test.state", retain=True)
    data, values = bytearray(b"x" * 100_000), np.ones(100_000, np.uint8)
    state.publish({"data": data, "values": values})
    data[:], values[:] = bytes(100_000), 0
    url = await serve(app)
    for generation in (1, 2):
        [found] = await published(await peers(url, generation, hello={}))
        assert (found["data"], found["values"]) == (b"x" * 100_000, b"\1" * 100_000)


async def test_a_subscriber_that_comes_while_other_threads_publish_misses_nothing_and_gets_nothing_twice(
    app: App, serve: Serve, peers: Open
) -> None:
    state = app.topic("test.state", retain=True)
    url = await serve(app)

    def count() -> None:
        for number in range(3000):
            state.publish(number, key="number")

    counting = asyncio.create_task(asyncio.to_thread(count))
    several = [await peers(url, hello={"features": ["subscribe"]}) for _ in range(5)]
    for peer in several:
        await peer.subscribe(1, "test.state")
    await counting
    for peer in several:
        found = await published(peer)
        assert found == list(range(found[0] if found else 0, 3000))
        assert found


async def test_so_many_keys_are_kept(serve: Serve, peers: Open) -> None:
    """LIM-17."""
    app = App(secret="secret", limits=Limits(max_retained=2))
    state = app.topic("test.state", retain=True)
    for key in ("a", "b", "a", "c"):
        state.publish(key, key=key)
    assert await published(await peers(await serve(app), hello={})) == ["a", "c"]


def test_what_cannot_be_sent_is_refused_although_nobody_listens(app: App) -> None:
    with pytest.raises(NotSerializable):
        app.topic("test.state", retain=True).publish(object())


def test_a_topic_that_exists_is_as_it_was_made(app: App) -> None:
    topic = app.topic("test.state", retain=True, priority="urgent")
    assert app.topic("test.state") is topic
    with pytest.raises(UsageError, match="retain=True"):
        app.topic("test.state", retain=False)
    with pytest.raises(UsageError, match="priority"):
        app.topic("test.state", priority="bulk")
    with pytest.raises(UsageError, match="urgent, normal, bulk"):
        app.topic("test.other", priority="high")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="urgent, normal, bulk"):
        app.method("test.other", priority="high")(lambda: 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
@pytest.mark.parametrize("case", json.loads((VECTORS / "retained.json").read_text())["cases"], ids=str)
async def test_the_vectors(app: App, serve: Serve, peers: Open, delivery: Any, case: dict[str, Any]) -> None:
    """SUB-14."""
    state = app.topic("test.state", delivery=delivery, retain=True)
    for number, publication in enumerate(case["published"]):
        state.publish(number, tags=publication["tags"], key=publication["key"])
    peer = await peers(await serve(app), hello={"features": ["subscribe"]})
    for definition, sent in zip(case["filters"], case["sent"], strict=True):
        await peer.subscribe(1, "test.state", definition)
        assert await published(peer, 0.1) == sent
