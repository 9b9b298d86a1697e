"""Ids that clients choose."""

from __future__ import annotations

import tracemalloc

import pytest

from tests.conftest import Open, Serve
from wslink import App

MIB = 1024 * 1024


@pytest.mark.parametrize("id_", ["5", ":5", "", "rpc:c0:", "rpc::1", "c0:1"])
async def test_a_first_message_with_a_bad_id_is_malformed(id_: str, app: App, serve: Serve, peers: Open) -> None:
    peer = await peers(await serve(app))
    await peer.send({"wslink": "1.0", "id": id_, "method": "a", "args": [], "kwargs": {}})
    answer = await peer.answer("system:malformed:0")
    assert "'id' must be a string" in answer["error"]["message"]


async def test_nothing_of_a_long_id_is_kept(app: App, serve: Serve, peers: Open) -> None:
    app.method("ping")(lambda: None)
    peer = await peers(await serve(app), hello={})
    tracemalloc.start()
    try:
        id_ = f"rpc:{'x' * MIB}:1"
        await peer.send({"wslink": "1.0", "id": id_, "method": "ping", "args": [], "kwargs": {}})
        assert (await peer.answer(id_))["result"] is None
        kept = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(True, "*/wslink/session/*"),))
        assert sum(one.size for one in kept.statistics("filename")) < MIB / 2
    finally:
        tracemalloc.stop()
