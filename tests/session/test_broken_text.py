"""Half of a surrogate pair, which JSON can write and UTF-8 cannot: whoever gives it is told, nobody else notices."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import wslink
from tests.conftest import Open, Serve
from wslink import App, Call, Identity, NotSerializable, Recorder, UsageError
from wslink.cluster.memory_log import MemoryBroker
from wslink.wire import recording

HALF = "a\ud800"


async def test_names_of_methods_and_topics(app: App, serve: Serve) -> None:
    app.method("test.one")(lambda: 1)
    app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(NotSerializable):
            await link.call(HALF)
        for topic, filter_ in ((HALF, None), ("test.topic", {HALF: 1}), ("test.topic", {"a": HALF})):
            with pytest.raises(NotSerializable):
                await link.subscribe(topic, filter=filter_).ready
        with pytest.raises(NotSerializable):
            await app.clients[link.client_id].call(HALF)
        assert await link.call("test.one") == 1


async def test_a_recording_has_what_can_be_written(serve: Serve, peers: Open, tmp_path: Path) -> None:
    recorder = Recorder()
    app = App(secret="secret", recorder=recorder)
    topic = app.topic("test.topic")
    app.method("test.tag")(lambda tag: topic.publish("payload", tags={"tag": tag, "row": 1}))
    peer = await peers(await serve(app), 1, hello={})
    assert (await peer.call(HALF))["error"]["code"] == -32601
    assert (await peer.call("test.tag", HALF))["result"] == 1
    topic.publish("payload", tags={"row": 2**70})
    assert (await peer.call("test.tag", "whole"))["result"] == 1
    assert recorder.write(tmp_path / "a.wsrec") > 3
    found = [
        one.about for one in recording.Reader((tmp_path / "a.wsrec").read_bytes()) if one.kind == recording.PUBLICATION
    ]
    assert found == [None, None, {"tag": "whole", "row": 1}]


async def test_workers_go_on(peers: Open, serve: Serve) -> None:
    """What cannot be sent to other workers is its publisher's error, and those hear what follows."""
    broker = MemoryBroker()
    one, other = App(secret="secret", broker=broker), App(secret="secret", broker=broker)
    topic, seen = one.topic("test.topic"), other.topic("test.topic")

    @one.method("test.join")
    def join(group: str, call: Call) -> bool:
        return one.clients[call.client_id].join(group)

    url, where = await serve(one), await serve(other)
    async with wslink.connect(url, secret="secret") as link, wslink.connect(where, secret="secret") as reader:
        subscription = reader.subscribe("test.topic")
        await subscription.ready
        for wrong in ({"tags": {"a": HALF}}, {"tags": {HALF: 1}}, {"tags": {"a": 2**70}}, {"key": HALF}, {"to": HALF}):
            with pytest.raises(NotSerializable):
                topic.publish("payload", **wrong)  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            one.clients[link.client_id].join(HALF)
        topic.publish("next")
        assert await asyncio.wait_for(anext(subscription), 5) == "next"
    assert seen.name == topic.name


@pytest.mark.parametrize("wrong", [{"user": HALF}, {"user": 5}, {"user": None}, {"attributes": []}])
def test_who_a_client_is_can_be_shown(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="Identity: "):
        Identity(**wrong)
