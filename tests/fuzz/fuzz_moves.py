"""What a worker says of a session that moves to another one (RES-12): the first byte says whether the rest is a whole
record, or the payload of a good one. A session comes, or is given up whole, and nothing of it stays behind."""

from __future__ import annotations

import asyncio
import atexit
from typing import Any

import msgpack

from tests.fuzz.fuzz_session import FEATURES
from tests.fuzz.sinks import nothing_raised
from wslink import App
from wslink.cluster import records
from wslink.cluster.cluster import Cluster
from wslink.cluster.memory_log import MemoryBroker
from wslink.cluster.records import Draft

BROKER = MemoryBroker()
APP = App(secret="s", broker=BROKER)
TOPIC = APP.topic("test.topic")
ID = "c" + "0" * 32
KEYS = [b"0" * 32]
KNOWN: list[Any] = [ID, "", "127.0.0.1", 1.0, {"a": 1}, ["room"]]


def _state(**changes: Any) -> bytes:
    """What `Moves` packs."""
    session = {
        "id": ID, "features": FEATURES, "epoch": "e" * 16, "digests": KEYS, "received": [3, [1]], "last": 4,
        "kept": [[4, [False, 0, b"\x04\0\0\0\0\0\0\0\x01\0\0\0\xc0"], None, [], False],
                 [3, [True, 65536, b"x" * 100], ["a", 1], [1], True]],
        "windows": {1: [4, 2, 4, 0, 100, 200]},
        "waiting": [[1, [False, 0, b"\0" * 13], None, [["call", "x"]], None, None],
                    [2, [False, 0, b"\0" * 13], ["a", 1], [], [1], [[1], {"a": 1}]]],
        "interrupted": ["rpc:c:1"],
    }  # fmt: skip
    request = {"subscription": 1, "topic": "test.topic", "filter": {"a": 1}}
    whole = {"requests": [request], "skips": [["other", 5]], "seen": {"other": 10**6}}
    given = {**whole, **{key: value for key, value in changes.items() if key in whole}}
    given["session"] = msgpack.packb({**session, **{key: value for key, value in changes.items() if key in session}})
    return b"\x01" + msgpack.packb(given)


SEEDS = [
    _state(),
    _state(kept=[[1, [False, 0, b""], None, None, 1]], windows={}, waiting=[]),
    _state(last=2**40, received=[2**32, [2**32 - 1]], interrupted=[1, None]),
    _state(features=["flow"], digests=[], epoch=None),
    _state(requests=[{"topic": 1}], skips=[[1]], seen={}),
    _state(windows={1: [-1, 0, 0, 0]}, waiting=[[9, [False, 0, b"\0" * 13], None, [], None, None]]),
    *(b"\x00" + Draft(kind, fields).encode("other", 1) for kind, fields in (
        (records.MOVE, ["x", KEYS]), (records.MOVED, ["x", KEYS, KNOWN]), (records.STATE, [[KNOWN]]),
        (records.JOINED, [ID, "room"]), (records.CALL, ["x", 1]), (records.HELLO, [False]),
        (records.MOVED, ["x", 5]), (records.MOVE, [[], None]), (records.STATE, [[[1, 2]]]), (records.BYE, []))),
]  # fmt: skip
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


class _World:
    """This worker, and another one's records."""

    def __init__(self) -> None:
        cluster = APP._hub.cluster
        assert isinstance(cluster, Cluster)
        self.cluster = cluster
        self.number = 0

    def put(self, kind: str, fields: list[Any], payload: bytes = b"") -> None:
        self.number += 1
        BROKER.logs[0].take([Draft(kind, fields, [payload]).encode("other", self.number)])

    async def taken(self) -> None:
        for _ in range(8):
            await asyncio.sleep(0)


async def _begin() -> _World:
    world = _World()
    world.cluster.begin()
    await world.cluster.ready()
    return world


WORLD = LOOP.run_until_complete(_begin())
atexit.register(lambda: LOOP.run_until_complete(WORLD.cluster.stop()))


def run(data: bytes) -> None:
    with nothing_raised("cannot be taken", "were lost at the broker"):
        LOOP.run_until_complete(_visit(data))


async def _visit(data: bytes) -> None:
    world, hub = WORLD, APP._hub
    if data[:1] == b"\x00":
        record = records.decode(data[1:])
        if record is not None and record.origin == "other":
            world.put(record.kind, record.fields, bytes(record.payload))
    else:
        world.put(records.MOVE, [world.cluster.origin, KEYS])
        world.put(records.MOVED, [world.cluster.origin, KEYS, KNOWN], data[1:])
    await world.taken()
    for session in list(hub.sessions.values()):
        session.close(1000, "over")
        session.closed(True)
    await world.taken()
    assert not hub.sessions
    assert not hub.community.local
    assert hub.backlog.kept == 0
    world.put(records.BYE, [])
    world.number = 0
    await world.taken()
    world.cluster.peers._buried.clear()
    assert not world.cluster.peers
    assert not list(APP.clients)
    assert not APP.group("room").client_ids
