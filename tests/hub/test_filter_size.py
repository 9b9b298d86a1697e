"""What all filters of one client count (LIM-7), and what they cost the garbage collector."""

from __future__ import annotations

import gc
from typing import Any

from tests.conftest import Open, Serve
from wslink import App, Limits
from wslink.hub.filters import compile_filter

HELLO = {"secret": "secret", "features": ["subscribe"]}


async def test_all_filters_of_a_client_are_bounded_together(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_filter_size=1000))
    topic = app.topic("test.topic")
    url = await serve(app)
    peer, other = await peers(url, hello=HELLO), await peers(url, hello=HELLO)
    four = {"row": [1, 2, 3, 4]}  # 323 each
    for number in (1, 2, 3):
        assert "result" in await peer.subscribe(number, "test.topic", four)
    error = (await peer.subscribe(4, "test.topic", four))["error"]
    assert (error["code"], error["message"]) == (-32003, "over max_filter_size (1000) in the filters of a client")
    assert "result" in await peer.subscribe(4, "test.topic", {})
    assert "result" in await other.subscribe(1, "test.topic", four)
    assert "result" in await peer.subscribe(1, "test.topic", {"row": 1})  # replaces a larger one
    assert "result" in await peer.system("wslink.unsubscribe", {"subscription": 2})
    assert "result" in await peer.subscribe(5, "test.topic", four)
    error = (await peer.subscribe(6, "test.topic", {"row": list(range(100))}))["error"]
    assert (error["code"], error["message"]) == (-32602, "a filter is over max_filter_size (1000)")
    assert len(topic.subscriptions) == 5
    assert topic.publish("now", tags={"row": 4}) == 2


def test_the_garbage_collector_has_next_to_nothing_to_look_at() -> None:
    """However many conditions the clients of a server have, a collection takes no longer: it stops everybody."""
    definitions: list[dict[str, Any]] = [
        {"row": {"gte": n, "lt": n + 9}, "kind": "frame", "name": {"prefix": f"{n}."}, "hidden": False}
        | {f"tag{k}": {"ne": k} for k in range(20)}
        for n in range(200)
    ]
    gc.collect()
    before = len(gc.get_objects())
    filters = [compile_filter(definition, Limits()) for definition in definitions]
    for _ in range(3):  # a tuple is let alone once what is in it is
        gc.collect()
    assert len(gc.get_objects()) - before < 2 * len(filters)
