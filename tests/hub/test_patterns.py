"""Subscriptions to patterns (SUB-18, SUB-19)."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Open, Serve
from wslink import App, Limits, connect
from wslink.hub.patterns import compile_pattern, is_pattern

HELLO = {"secret": "secret", "features": ["subscribe"]}


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a.*", ["a.b", "a.c_1"], ["a", "a.b.c", "b.a", "a."]),
        ("a.**", ["a.b", "a.b.c.d"], ["a", "b.a"]),
        ("*", ["a"], ["a.b", ""]),
        ("**", ["a", "a.b.c"], [""]),
        ("*.b.*", ["a.b.c"], ["a.b", "a.c.b"]),
        ("a.*.**", ["a.b.c", "a.b.c.d"], ["a.b"]),
    ],
)
def test_what_a_pattern_stands_for(pattern: str, matching: list[str], others: list[str]) -> None:
    """SUB-18."""
    assert is_pattern(pattern)
    covers = compile_pattern(pattern)
    assert [name for name in (*matching, *others) if covers(name)] == matching


@pytest.mark.parametrize("text", ["a.b", "a.**.b", "a*", "a.*b", "*.", ".*", "***", "a..*", "", "* ", "\u00e9.*"])
async def test_what_is_neither_a_topic_nor_a_pattern_is_refused(text: str, serve: Serve, peers: Open, app: App) -> None:
    assert not is_pattern(text)
    peer = await peers(await serve(app), hello=HELLO)
    assert (await peer.subscribe(1, text))["error"]["code"] == -32602


async def test_a_pattern_subscribes_to_each_of_its_topics_and_to_later_ones(
    serve: Serve, peers: Open, app: App
) -> None:
    tile, sky = app.topic("land.tile", delivery="latest"), app.topic("sky.tile")
    height = app.topic("land.height", retain=True)
    height.publish("retained", {"row": 1})
    height.publish("of no interest", {"row": 2}, key="other")
    heard: list[str] = []
    tile.on_subscribe(lambda subscription: heard.append(subscription.topic.name))
    tile.on_unsubscribe(lambda subscription: heard.append(f"no {subscription.topic.name}"))
    peer = await peers(await serve(app), hello=HELLO)
    assert (await peer.subscribe(1, "land.**", {"row": 1}))["result"] == {"delivery": "mixed"}
    assert heard == ["land.tile"]
    assert (await peer.receive())["result"] == "retained"
    await peer.subscribe(2, "land.tile")
    later = app.topic("land.late", retain=True)
    counts = [topic.publish(topic.name, {"row": 1}) for topic in (tile, sky, height, later)]
    assert (counts, later.publish("none", {"row": 2})) == ([1, 0, 1, 1], 0)
    got = [await peer.receive() for _ in range(3)]
    assert {(message["result"], tuple(message["subscriptions"])) for message in got} == {
        ("land.tile", (1, 2)),
        ("land.height", (1,)),
        ("land.late", (1,)),
    }
    assert (await peer.subscribe(1, "land.**", {"row": 2}))["result"] == {"delivery": "mixed"}
    assert {(await peer.receive())["result"] for _ in range(2)} == {"of no interest", "none"}
    assert later.publish(0, {"row": 1}) == 0
    assert "cannot change" in (await peer.subscribe(1, "land.*"))["error"]["message"]
    assert (await peer.system("wslink.unsubscribe", {"subscription": 1}))["result"] is None
    assert (later.publish(0, {"row": 2}), tile.publish("still", {"row": 9})) == (0, 1)
    assert heard[-1] == "no land.tile"
    assert app.topic("land.even.later").publish(0, {"row": 2}) == 0


async def test_a_pattern_has_no_window(serve: Serve, peers: Open, app: App) -> None:
    peer = await peers(await serve(app), hello=HELLO)
    wish = {"subscription": 1, "topic": "a.*", "window": 3}
    assert (await peer.system("wslink.subscribe", wish))["error"]["code"] == -32602


async def test_patterns_are_few(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_patterns=2))
    peer = await peers(await serve(app), hello=HELLO)
    for number in (1, 2, 1):
        assert "result" in await peer.subscribe(number, "none.*")
    error = (await peer.subscribe(3, "a.*"))["error"]
    assert (error["code"], error["message"]) == (-32003, "over max_patterns (2) subscriptions to patterns")


async def test_a_client_with_flow_control_gets_all_topics_of_a_pattern(serve: Serve, app: App) -> None:
    tile, height = app.topic("land.tile", delivery="latest"), app.topic("land.height")
    async with await connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("land.*")
        await subscription.ready
        got: list[int] = []

        async def read() -> None:
            async for payload in subscription:
                got.append(payload)

        reading = asyncio.create_task(read())
        for number in range(100):
            height.publish(number)
            tile.publish(1000 + number)
            await asyncio.sleep(0)
        while [one for one in got if one < 1000] != list(range(100)) or 1099 not in got:
            await asyncio.sleep(0.01)
        await subscription.cancel()
        await reading
        assert (tile.publish(0), height.publish(0)) == (0, 0)
