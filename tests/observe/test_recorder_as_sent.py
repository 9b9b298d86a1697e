"""A recorder keeps messages as they were sent, and makes records of them when these are written."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from tests.conftest import Open, Serve
from wslink import App, Call, CallError, Recorder
from wslink.wire import recording
from wslink.wire.recording import Reader

SECRET = "s3cret-of-the-server"


def app(recorder: Recorder | None) -> App:
    app = App(secret=SECRET, recorder=recorder)
    frames = app.topic("demo.frame")
    state: dict[str, Any] = {"values": [1, 2, 3]}

    @app.method("demo.state")
    def of_state(change: int) -> dict[str, Any]:
        asyncio.get_running_loop().call_soon(state.update, {"values": [change]})
        return state

    @app.method("demo.sort")
    def sort(values: list[int], options: dict[str, Any]) -> list[int]:
        values.sort()
        options.clear()
        return values

    @app.method("demo.login")
    def login(password: str) -> str:
        raise ValueError(password)

    @app.method("demo.image")
    def image(size: int) -> dict[str, Any]:
        frames.publish({"jpeg": b"p" * size})
        return {"jpeg": b"r" * size}

    @app.method("demo.items")
    async def items(count: int) -> AsyncIterator[Any]:
        for n in range(count):
            yield {"n": n, "values": np.arange(n, dtype="<f4")}

    @app.method("demo.ask")
    async def ask(call: Call) -> Any:
        return await call.client.call("page.answer")

    return app


def envelopes(path: Path, kind: int) -> list[dict[str, Any]]:
    return [recording.decode(one.message) for one in Reader(path.read_bytes()) if one.kind == kind and one.message]


async def test_what_changes_afterwards_is_recorded_as_it_was(tmp_path: Path) -> None:
    recorder = Recorder()
    async with app(recorder).connect() as link:
        await link.call("demo.state", 4)
        await link.call("demo.state", 5)
        assert await link.call("demo.sort", [3, 1, 2], {"a": {"b": [1]}}) == [1, 2, 3]
    recorder.write(path := tmp_path / "a.wsrec")
    assert [one["result"] for one in envelopes(path, recording.RESPONSE)] == [
        {"values": [1, 2, 3]},
        {"values": [4]},
        [1, 2, 3],
    ]
    assert envelopes(path, recording.CALL)[-1]["args"] == [[3, 1, 2], {"a": {"b": [1]}}]


async def test_a_call_that_fails_before_its_method_runs_has_its_error(tmp_path: Path) -> None:
    recorder = Recorder()
    application = app(recorder)
    async with application.connect() as link:
        with pytest.raises(CallError):
            await link.call("demo.state", "four")
        with pytest.raises(CallError):
            await link.call("demo.nothing")
        with pytest.raises(CallError):
            async for _ in link.stream("demo.state", 4):
                pass
    recorder.write(path := tmp_path / "a.wsrec")
    called = [one["id"] for one in envelopes(path, recording.CALL)]
    failed = envelopes(path, recording.RESPONSE)
    assert [one["id"] for one in failed] == called
    assert [one["error"]["code"] for one in failed] == [-32602, -32601, -32602]


async def test_nothing_is_kept_of_what_is_left_out_under_whatever_id(tmp_path: Path, serve: Serve, peers: Open) -> None:
    """REC-5"""
    recorder = Recorder(leave_out=["demo.login"])
    peer = await peers(await serve(app(recorder)), hello={"secret": SECRET})
    for method, args in (("demo.state", [4]), ("demo.login", ["pass-word"]), ("demo.login", [])):
        await peer.send({"wslink": "1.0", "id": "rpc:same:1", "method": method, "args": args, "kwargs": {}})
        await peer.answer("rpc:same:1")
    for id_, method in (("system:a:1", "demo.state"), ("rpc:a:2", "wslink.subscribe")):
        await peer.send({"wslink": "1.0", "id": id_, "method": method, "args": ["pass-word"], "kwargs": {}})
        assert "error" in await peer.answer(id_)
    recorder.write(path := tmp_path / "a.wsrec")
    assert b"pass-word" not in path.read_bytes()
    assert [one["method"] for one in envelopes(path, recording.CALL)] == ["demo.state"]
    assert len(envelopes(path, recording.RESPONSE)) == 1


@pytest.mark.parametrize("generation", [1, 2])
async def test_large_messages_are_recorded_for_both_versions(
    generation: int, tmp_path: Path, serve: Serve, peers: Open
) -> None:
    recorder = Recorder()
    peer = await peers(await serve(app(recorder)), generation, hello={"secret": SECRET})
    await peer.call("demo.image", 100_000)
    assert "error" in await peer.call("demo.nothing")
    recorder.write(path := tmp_path / "a.wsrec")
    assert envelopes(path, recording.PUBLICATION)[0]["result"] == {"jpeg": b"p" * 100_000}
    response, failure = envelopes(path, recording.RESPONSE)
    assert response["result"] == {"jpeg": b"r" * 100_000}
    assert failure["error"]["code"] == -32601


async def test_items_of_a_stream_are_results_of_its_call(tmp_path: Path) -> None:
    """REC-3"""
    recorder = Recorder(leave_out=["demo.login"])
    async with app(recorder).connect() as link:
        assert len([one async for one in link.stream("demo.items", 40)]) == 40
    recorder.write(path := tmp_path / "a.wsrec")
    items = envelopes(path, recording.ITEM)
    assert [one["result"]["values"].tolist() for one in items] == [list(range(n)) for n in range(40)]
    assert {one["id"] for one in items} == {one["id"] for one in envelopes(path, recording.CALL)}


async def test_a_client_may_answer_with_what_nobody_can_read(tmp_path: Path, serve: Serve, peers: Open) -> None:
    recorder = Recorder()
    peer = await peers(await serve(app(recorder)), hello={"secret": SECRET, "features": ["handle", "subscribe"]})
    id_ = await peer.start("demo.ask")
    question = await peer.receive()
    await peer.send({"wslink": "1.0", "id": question["id"], "result": [msgpack.ExtType(77, b"?")]})
    assert "error" in await peer.answer(id_)
    assert (await peer.call("demo.sort", [2, 1], {}))["result"] == [1, 2]
    recorder.write(path := tmp_path / "a.wsrec")
    assert [one["method"] for one in envelopes(path, recording.ASKED)] == ["page.answer"]


async def test_the_bound_is_of_the_memory_that_is_held() -> None:
    """LIM-22"""
    most = 300_000

    async def held(recorder: Recorder | None) -> int:
        application = app(recorder)
        for _ in range(2):
            for _ in range(6):  # clients that go are known to nobody but the recorder
                async with application.connect(), application.connect():
                    pass
            async with application.connect() as link, link.subscribe("demo.frame"):
                for n in range(150):
                    await link.call("demo.sort", [n, n], {"of": "é" * 30})
                    await link.call("demo.state", n)
                    await link.call("demo.image", 20)
                with pytest.raises(CallError):
                    await link.call("demo.nothing")
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    await held(Recorder(most))
    tracemalloc.start()
    try:
        without = await held(None)
        tracemalloc.clear_traces()
        assert await held(Recorder(most)) - without < 1.1 * most
    finally:
        tracemalloc.stop()
