"""What all filters of one client count (LIM-7)."""

from __future__ import annotations

from tests.conftest import Open, Serve
from wslink import App, Limits

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
