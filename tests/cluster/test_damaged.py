"""Records that another worker, of another version or with a fault, may leave at the broker: a worker goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import pytest

from tests.conftest import Serve
from wslink import App
from wslink.cluster import records
from wslink.cluster.memory_log import MemoryBroker
from wslink.cluster.records import Draft

ID, KEYS = "c" + "0" * 32, [b"0" * 32]
KNOWN: list[Any] = [ID, "", "127.0.0.1", 1.0, {}, ["room"]]
SESSION: dict[str, Any] = {
    "features": ["resume"], "epoch": "e", "digests": KEYS, "received": [0, []], "last": 0, "kept": [], "windows": {},
    "waiting": [], "interrupted": [],
}  # fmt: skip


def _state(session: Any = None, **changes: Any) -> bytes:
    packed = session if session is not None else msgpack.packb(SESSION)
    return bytes(msgpack.packb({"session": packed, "requests": [], "skips": [], "seen": {}, **changes}))


async def _until(condition: Any) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("in vain")


@pytest.fixture
async def worker(serve: Serve) -> tuple[App, MemoryBroker]:
    broker = MemoryBroker()
    app = App(secret="secret", broker=broker)
    await serve(app)
    return app, broker


def _put(broker: MemoryBroker, *drafts: tuple[str, list[Any], bytes]) -> None:
    whole = [Draft(kind, fields, [state]).encode("other", n) for n, (kind, fields, state) in enumerate(drafts, 1)]
    broker.logs[0].take(whole)


def _move(broker: MemoryBroker, app: App, state: bytes) -> None:
    origin = app._hub.cluster.origin  # type: ignore[union-attr] - what a worker's records name
    to: list[Any] = [origin, KEYS]
    _put(broker, (records.STATE, [[KNOWN]], b""), (records.MOVE, to, b""), (records.MOVED, [*to, KNOWN], state))


async def test_a_session_comes_in_whole(worker: tuple[App, MemoryBroker]) -> None:
    app, broker = worker
    _move(broker, app, _state())
    await _until(lambda: ID in app._hub.sessions)
    assert app.group("room").client_ids == (ID,)


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(b"\xc1", id="no MessagePack"),
        pytest.param(_state(b"\x80"), id="empty"),
        pytest.param(_state(msgpack.packb({**SESSION, "last": 2**40})), id="a number beyond all"),
        pytest.param(
            _state(msgpack.packb({**SESSION, "kept": [[1, [False, 0, "x"], None, [], False]]})), id="no bytes"
        ),
        pytest.param(_state(msgpack.packb({**SESSION, "windows": {1: [0]}})), id="half a window"),
        pytest.param(
            _state(msgpack.packb({**SESSION, "waiting": [[7, [False, 0, b""], 0, [], None, None]]})), id="lane"
        ),
        pytest.param(_state(requests=[5]), id="requests"),
        pytest.param(_state(skips=5), id="skips"),
    ],
)
async def test_of_a_session_that_cannot_be_read_nothing_stays(worker: tuple[App, MemoryBroker], state: bytes) -> None:
    app, broker = worker
    _move(broker, app, state)
    await _until(lambda: "other" in app._hub.cluster.peers and not app.clients)  # type: ignore[union-attr]
    assert not app._hub.sessions
    assert not app._hub.connected
    assert not app.group("room").client_ids


async def test_a_record_of_any_kind_leaves_a_worker_reading(worker: tuple[App, MemoryBroker]) -> None:
    app, broker = worker
    nested = b"\x91" * 100_000
    broker.logs[0].take([len(nested).to_bytes(4, "little") + nested, b"", b"\xff" * 9, b"\x02\0\0\0\x81\x80\x01"])
    _put(broker, (records.STATE, [[KNOWN]], b""))
    await _until(lambda: ID in app.clients)
