"""What the end or the change of a subscription promises, where publications wait for a slow line."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from benchmarks.line import Line

from tests.conftest import Open, Serve
from wslink import App

SIZE, COUNT = 200_000, 6


async def ids_after(serve: Serve, peers: Open, delivery: Any, method: str, argument: dict[str, Any]) -> list[str]:
    """The ids of all messages that a peer gets after the result of a system call, made while publications wait."""
    app = App(secret="secret")
    topic = app.topic("view", delivery=delivery)

    @app.method("publish")
    async def publish() -> None:
        for row in range(COUNT):
            topic.publish(bytes(SIZE), tags={"row": row})

    url = await serve(app)
    port = url.split(":")[2].partition("/")[0]
    with Line(int(port), rate=16e6, delay=0.01, buffer=64 * 1024) as line:
        peer = await peers(url.replace(port, str(line.port)), hello={"features": ["subscribe"]})
        await peer.subscribe(1, "view")
        await peer.start("publish")
        await asyncio.sleep(0.2)
        await peer.send({"wslink": "1.0", "id": "system:test:99", "method": method, "args": [argument]})
        received: list[str] = []
        while len(received) < COUNT + 2:
            received.append((await peer.receive())["id"])
    return received[received.index("system:test:99") + 1 :]


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
async def test_no_message_after_the_result_of_unsubscribing_names_the_subscription(
    serve: Serve, peers: Open, delivery: str
) -> None:
    """SUB-5."""
    assert await ids_after(serve, peers, delivery, "wslink.unsubscribe", {"subscription": 1}) == []


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
async def test_nothing_outside_of_a_filter_comes_after_the_result_that_set_it(
    serve: Serve, peers: Open, delivery: str
) -> None:
    """SUB-3 and SUB-4: what was published before does not match the filter that is in force then."""
    definition = {"subscription": 1, "topic": "view", "filter": {"row": 99}}
    assert await ids_after(serve, peers, delivery, "wslink.subscribe", definition) == []
