"""Ids that clients choose: any text that is not too long (MSG-2, LIM-12), answered as it came (MSG-4)."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest

from tests.conftest import Open, Serve
from wslink import App, Limits

MIB = 1024 * 1024
both = pytest.mark.parametrize("generation", [1, 2])
IDS = [
    "rpc:demo.add", "1", "rpc:0a-b:1", "rpc:", ":5", "", "rpc:c0:x", "a" * 1024, "caf\u00e9 \U0001f600", "rpc:c0:1\n",
    'with "quotes" and \\ and \x00', "publish:a.b:1", "systematic",
]  # fmt: skip


@both
@pytest.mark.parametrize("id_", IDS)
async def test_a_call_is_answered_under_the_id_that_its_client_chose(
    id_: str, app: App, serve: Serve, peers: Open, generation: int
) -> None:
    app.method("demo.add")(lambda a, b: a + b)
    peer = await peers(await serve(app), generation, hello={})
    for args, kwargs in ([[1, 2], {}], [[], {"a": 1, "b": 2}]):
        await peer.send({"wslink": "1.0", "id": id_, "method": "demo.add", "args": args, "kwargs": kwargs})
        answer = await peer.receive()
        assert (answer["id"], answer["result"]) == (id_, 3)
    await peer.send({"wslink": "1.0", "id": id_, "method": "demo.none", "args": []})
    answer = await peer.receive()
    assert (answer["id"], answer["error"]["code"]) == (id_, -32601)


@both
@pytest.mark.parametrize("id_", ["system:hello", "system", "system:", "system:0a-b:1", "system:c0:0"])
async def test_a_hello_is_answered_under_the_id_that_its_client_chose(
    id_: str, app: App, serve: Serve, peers: Open, generation: int
) -> None:
    peer = await peers(await serve(app), generation)
    await peer.send({"wslink": "1.0", "id": id_, "method": "wslink.hello", "args": [{"secret": "wrong"}]})
    answer = await peer.receive()
    assert (answer["id"], answer["error"]["message"]) == (id_, "Authentication failed")
    await peer.send({"wslink": "1.0", "id": id_, "method": "wslink.hello", "args": [{"secret": "secret"}]})
    answer = await peer.receive()
    assert (answer["id"], answer["result"]["clientID"][0]) == (id_, "c")


@both
async def test_an_id_that_is_no_text_or_too_long_is_malformed(
    app: App, serve: Serve, peers: Open, generation: int
) -> None:
    """LIM-12."""
    peer = await peers(await serve(app), generation, hello={})
    ids = [5, None, ["a"], "x" * 1025, "x" * MIB] + (["\ud800"] if generation == 1 else [])
    for id_ in ids:
        await peer.send({"wslink": "1.0", "id": id_, "method": "a", "args": [], "kwargs": {}})
        answer = await peer.answer("system:malformed:0")
        assert "'id' must be a string of at most 1024 characters (max_id)" in answer["error"]["message"]
    await peer.send({"wslink": "1.0", "method": "a", "args": []})
    assert (await peer.answer("system:malformed:0"))["error"]["code"] == -32600


async def test_nothing_of_a_long_id_is_kept(app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app), hello={})
    tracemalloc.start()
    try:
        await peer.send({"wslink": "1.0", "id": f"rpc:{'x' * MIB}:1", "method": "ping", "args": [], "kwargs": {}})
        assert (await peer.answer("system:malformed:0"))["error"]["code"] == -32600
        read = tracemalloc.Filter(False, "*/picows/reading.py")  # picows's buffer, which stays as large as a frame was
        kept = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(True, "*/wslink/*"), read))
        assert sum(one.size for one in kept.statistics("filename")) < MIB / 2
    finally:
        tracemalloc.stop()


async def test_calls_under_way_of_one_id_are_counted_and_answered_each(serve: Serve, peers: Open) -> None:
    """A client may use an id twice; that is not to get it more calls than it may have (TURN-2)."""
    app = App(secret="secret", limits=Limits(max_calls=2))
    gate, running = asyncio.Event(), list[int]()

    @app.method("test.hold")
    async def hold(number: int) -> int:
        running.append(number)
        await gate.wait()
        return number

    peer = await peers(await serve(app), hello={})
    for number in range(3):
        await peer.send({"wslink": "1.0", "id": "mine", "method": "test.hold", "args": [number]})
    await asyncio.sleep(0.05)
    assert running == [0, 1]
    gate.set()
    assert [(await peer.receive())["result"] for _ in range(3)] == [0, 1, 2]
