"""What a publication costs does not grow with the subscriptions that it does not match."""

from __future__ import annotations

import time
from typing import Any

from tests.conftest import Open, Serve
from wslink import App

HELLO = {"secret": "secret", "features": ["subscribe"]}


async def test_ten_thousand_filters_cost_a_publication_as_much_as_a_hundred(serve: Serve, peers: Open) -> None:
    app = App(secret="secret")
    few, many = app.topic("test.few"), app.topic("test.many")
    url = await serve(app)
    for first in range(0, 10_000, 1_000):
        peer = await peers(url, hello=HELLO)
        for number in range(1_000):
            row = {"gte": first + number, "lt": first + number + 3}
            assert "result" in await peer.subscribe(number + 1, "test.many", {"row": row})
    peer = await peers(url, hello=HELLO)
    for number in range(100):
        assert "result" in await peer.subscribe(number + 1, "test.few", {"row": {"gte": number, "lt": number + 3}})

    def seconds(topic: Any) -> float:
        took = []
        for row in range(10, 90):
            began = time.perf_counter()
            assert topic.publish("now", tags={"row": row}) == 1
            took.append(time.perf_counter() - began)
        return sorted(took)[40]

    assert min(seconds(many) for _ in range(3)) < 2 * min(seconds(few) for _ in range(3))


async def test_a_filter_may_combine_others(serve: Serve, peers: Open) -> None:
    """SUB-15, SUB-16: over a socket, and replaced by another one."""
    app = App(secret="secret")
    topic = app.topic("test.topic")
    peer = await peers(await serve(app), hello=HELLO)
    wanted = {"or": [{"kind": {"prefix": "land."}}, {"kind": {"exists": False}}], "not": {"row": [3, 4]}}
    assert "result" in await peer.subscribe(1, "test.topic", wanted)
    assert [topic.publish(0, {"kind": "land.hill", "row": row}) for row in (2, 3)] == [1, 0]
    assert [topic.publish(0, {"kind": "sea", "row": 2}), topic.publish(0, {"row": 2}), topic.publish(0)] == [0, 1, 1]
    error = (await peer.subscribe(2, "test.topic", {"or": {"row": 3}}))["error"]
    assert (error["code"], "or must be a list of one or more filters" in error["message"]) == (-32602, True)
    assert "result" in await peer.subscribe(1, "test.topic", {"not": {"row": {"gte": 0}}})
    assert [topic.publish(0, {"row": row}) for row in (-1, 0)] == [1, 0]
