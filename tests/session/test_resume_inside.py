"""A large message goes on where a cut has ended it (RES-13)."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import msgpack
import pytest

import wslink
from tests.conftest import Serve
from tests.history.js import NODE, missing
from tests.lines import Line
from tests.session.returning import HEADER, Returning
from wslink import App, Reconnect
from wslink.wire.chunks import Cutter, Unchunker, cut
from wslink.wire.limits import Limits

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "resume.json").read_text())
SIZE = 24 * 1024 * 1024
PASSES = 3 * 1024 * 1024
"""Bytes after which each connection is cut."""
SIZE_OF_PAGE = 3 * 1024 * 1024
DATA = random.Random(1).randbytes(SIZE)


async def _through_cuts(url: str, way: str) -> int:
    """Carry a large message over a line that is cut before it can arrive; how many connections that took."""
    line = await Line.to(url, random.Random(1))
    async with wslink.connect(line.url, secret="secret", reconnect=Reconnect(initial=0.01, max=0.02)) as link:
        line.every = PASSES, PASSES
        line.cut()
        if way == "down":
            assert await asyncio.wait_for(link.call("test.down"), 20) == DATA
        else:
            assert await asyncio.wait_for(link.call("test.up", DATA), 20) == SIZE
        assert link.state == "open"
    await line.close()
    return line.connections


@pytest.mark.parametrize("way", ["down", "up"])
async def test_a_message_arrives_that_is_larger_than_what_passes_between_two_cuts(
    app: App, serve: Serve, way: str
) -> None:
    """RES-13."""
    app.method("test.down")(lambda: DATA)

    @app.method("test.up")
    def up(data: bytes) -> int:
        assert data == DATA
        return len(data)

    assert await _through_cuts(await serve(app), way) > SIZE // PASSES


@pytest.mark.skipif(bool(missing()), reason="Node is not installed, or the client is not built")
@pytest.mark.parametrize("way", ["down", "up"])
async def test_it_arrives_at_a_page_and_from_one(app: App, serve: Serve, way: str) -> None:
    """RES-13."""
    data = bytes(index % 251 for index in range(SIZE_OF_PAGE))
    app.method("test.down")(lambda: data)
    app.method("test.up")(lambda given: given == data)
    line = await Line.to(await serve(app), random.Random(1))

    @app.method("test.begin")
    def begin() -> None:
        line.every = PASSES / 8, PASSES / 8
        line.cut()

    program = (str(NODE), str(Path(__file__).with_name("large.mjs")), line.url, way, str(SIZE_OF_PAGE))
    process = await asyncio.create_subprocess_exec(*program, stdout=asyncio.subprocess.PIPE)
    told, _ = await asyncio.wait_for(process.communicate(), 20)
    await line.close()
    assert told.decode().strip() == '[true,"open"]'
    assert line.connections > 5


def test_a_cutter_goes_on_where_an_unchunker_was_when_its_connection_ended() -> None:
    """RES-13."""
    text = random.Random(2).randbytes(100_000)
    source = cut((text[:30_000], b"", text[30_000:]), len(text), 2**20, False).source
    assert source is not None
    for at in (1, 29_999, 30_000, 30_001, 99_999):
        before, after = Unchunker(Limits(), 2**20), Unchunker(Limits(), 2**20)
        assert before.receive(b"".join(Cutter(source, 7).next(at + HEADER.size).parts)) is None
        begun = before.take_beginnings()
        assert [(number, partial.reached) for number, partial in begun.items()] == [(7, at)]
        after.go_on(begun)
        assert bytes(after.receive(b"".join(Cutter(source, 7, at).next(2**20).parts)) or b"") == text


def test_a_message_that_begins_anew_takes_the_place_of_what_had_arrived() -> None:
    """RES-13."""
    before, after = Unchunker(Limits(), 2**20), Unchunker(Limits(), 2**20)
    before.receive(HEADER.pack(7, 0, 100) + b"a" * 50)
    before.receive(HEADER.pack(7, 60, 100) + b"a" * 10)  # not from the start
    after.go_on(before.take_beginnings())
    assert after.receive(HEADER.pack(7, 0, 40) + b"b" * 20) is None
    assert bytes(after.receive(HEADER.pack(7, 20, 40) + b"b" * 20) or b"") == b"b" * 40
    assert bytes(after.receive(HEADER.pack(8, 0, 4) + b"next") or b"") == b"next"


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_vectors(case: dict[str, Any]) -> None:
    """RES-13."""
    before, after = Unchunker(Limits()), Unchunker(Limits())
    for frame in case["before"]:
        assert before.receive(bytes.fromhex(frame)) is None
    begun = before.take_beginnings()
    assert [[number, partial.reached] for number, partial in begun.items()] == case["begun"]
    after.go_on(begun)
    messages = [after.receive(bytes.fromhex(frame)) for frame in case["after"]]
    assert bytes(messages[-1] or b"").hex() == case["message"]


async def test_a_server_says_which_bytes_it_has_and_takes_the_rest(app: App, serve: Serve) -> None:
    """RES-13, against the rules alone."""
    app.method("test.length")(lambda data: len(data))
    client = Returning(await serve(app))
    await client.connect()
    envelope = {"wslink": "1.0", "id": "rpc:c0:1", "method": "test.length", "args": [bytes(50_000)], "kwargs": {}}
    text = msgpack.packb(envelope)
    await client.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text[:20_000])
    await asyncio.sleep(0.1)
    await client.cut()
    answer = await client.connect()
    assert answer["resume"]["begun"] == [[1, 20_000]]
    await client.socket.send_bytes(HEADER.pack(1, 20_000, len(text)) + text[20_000:])
    for _ in range(100):
        if "rpc:c0:1" in client.results:
            break
        await asyncio.sleep(0.02)
    assert client.results["rpc:c0:1"] == 50_000
    await client.close()


@pytest.mark.parametrize("begun", [1, [1], [[1]], [[1, -1]], [["1", 1]], [[1, 1]] * 65])
async def test_what_a_hello_says_of_beginnings_is_checked(app: App, serve: Serve, begun: object) -> None:
    """RES-13."""
    client = Returning(await serve(app))
    await client.connect()
    await client.cut()
    message = await client.connect(begun=begun)
    assert "'begun' of 'resume'" in message["error"]["message"]
    await client.close()


async def test_a_newer_frame_begins_anew_under_the_number_of_one_whose_beginning_has_arrived(
    app: App, serve: Serve
) -> None:
    """RES-6, RES-13: also when the cut comes again before any of the newer one has arrived."""
    frames = app.topic("test.frames", delivery="latest")
    client = Returning(await serve(app))
    await client.connect()
    await client.subscribe(1, "test.frames")
    older, newer = b"a" * 300_000, b"b" * 300_000
    frames.publish(older)
    await client.cut()
    frames.publish(newer)
    for again in (True, False):  # it says each time that it has the beginning of the older one
        await client.connect(begun=[[client.last + 1, 1000]])
        if again:
            await client.cut()
    for _ in range(100):
        if client.publications:
            break
        await asyncio.sleep(0.02)
    assert [one["result"] if isinstance(one, dict) else one for one in client.publications][-1:] == [newer]
    await client.close()


async def test_beginnings_are_forgotten_where_there_is_no_room_to_keep_them(app: App, serve: Serve) -> None:
    """RES-13, LIM-18."""
    limited = App(secret="secret", limits=Limits(max_resume=100_000))
    topic = limited.topic("test.topic")
    client = Returning(await serve(limited))
    await client.connect()
    await client.subscribe(1, "test.topic")
    await client.socket.send_bytes(HEADER.pack(client.sent_number + 1, 0, 200_000) + bytes(90_000))
    await asyncio.sleep(0.1)
    await client.cut()
    await asyncio.sleep(0.1)
    topic.publish(bytes(50_000))
    await asyncio.sleep(0.1)
    answer = await client.connect()
    assert answer["resume"]["resumed"]
    assert "begun" not in answer["resume"]
    await client.close()


async def test_what_is_kept_for_all_clients_is_bounded(serve: Serve) -> None:
    """LIM-18: what had arrived in part of the client that went first is forgotten; that client begins anew."""
    app = App(secret="secret", limits=Limits(max_begun=100_000))
    app.method("test.length")(lambda data: len(data))
    url = await serve(app)
    envelope = {"wslink": "1.0", "id": "rpc:c0:1", "method": "test.length", "args": [bytes(150_000)], "kwargs": {}}
    text = msgpack.packb(envelope)
    clients = [Returning(url) for _ in range(3)]
    for client, size in zip(clients, (40_000, 60_000, 120_000), strict=True):
        await client.connect()
        client.sent_number = 1
        client.sent[1] = text
        await client.socket.send_bytes(HEADER.pack(1, 0, len(text)) + text[:size])
    await asyncio.sleep(0.1)
    begun = []
    for client in clients[:2]:
        await client.cut()
        await asyncio.sleep(0.05)
    for client in (clients[1], clients[0]):
        begun.append((await client.connect())["resume"].get("begun"))
        assert await client.result("rpc:c0:1") == 150_000
    await clients[2].cut()
    begun.append((await clients[2].connect())["resume"].get("begun"))
    assert await clients[2].result("rpc:c0:1") == 150_000
    assert begun == [[[1, 60_000]], None, None]
    for client in clients:
        await client.close()
