"""What a client sends that was granted everything: calls, streams, responses to the server's calls, acknowledgements,
traces. The input is a list of frames, each behind its length in two bytes; the first byte says whether they are taken
for messages, to which the header of a chunk is added."""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import AsyncIterator
from typing import Any

import msgpack

from tests.fuzz.fuzz_chunks import frames, joined
from tests.fuzz.sinks import Sink, nothing_raised
from tests.fuzz.vectors import bundle, hexes
from wslink import App, Call, Limits
from wslink.session.identity import Opening
from wslink.session.session import Session
from wslink.wire.chunks import HEADER
from wslink.wire.traceparent import read_traceparent

FEATURES = ["subscribe", "arrays", "flow", "cancel", "resume", "stream", "progress", "handle", "trace"]


def _call(method: str, *args: Any, id_: str = "rpc:c:1", **more: Any) -> dict[str, Any]:
    return {"wslink": "1.0", "id": id_, "method": method, "args": list(args), "kwargs": {}, **more}


def _seed(*messages: Any) -> bytes:
    return b"\x01" + joined([msgpack.packb(one) for one in messages])


STREAM = msgpack.ExtType(2, b"\x00")
SEEDS = [
    *(b"\x01" + joined([message]) for message in hexes(bundle("streams")["messages"], "packed")),
    *(b"\x01" + joined([message]) for message in hexes(bundle("trace")["messages"], "packed")),
    *(_seed(_call("test.echo", 1, traceparent=case["value"])) for case in bundle("trace")["traceparents"]),
    _seed(_call("test.sum", STREAM), [3, "rpc:c:1", 0, 1, 0], [3, "rpc:c:1", 1, 2, 0], [4, "rpc:c:1", 2, 0]),
    _seed(_call("test.sum", STREAM), [4, "rpc:c:1", 0, 0, {"code": 1, "message": "x"}], [3, "rpc:c:1", 0, 1, 0]),
    _seed(_call("test.count", 5, stream=2), [5, "rpc:c:1", 4], [5, "rpc:c:1", 2**64 - 1], [6, "rpc:c:1"]),
    _seed(_call("test.count", 5, stream=0), [6, "rpc:c:1"], [6, "rpc:c:1"], [6, 1], [6]),
    _seed({"id": "rpc:server:0", "result": 1}, {"id": "rpc:server:0", "result": 1}),
    _seed({"id": "rpc:server:0", "error": []}, {"id": "rpc:server:1", "error": {"code": "x", "message": 1}}),
    _seed({"id": "rpc:server:0", "error": {"code": -1, "message": "m" * 9000, "data": {}}}, [7, "rpc:server:0", 1]),
    _seed([7, "rpc:server:1", {"a": 1}], {"id": "rpc:server:9", "result": None}, {"id": "rpc:server:1"}),
    _seed([1, 100, 0, 2, [1]], [1, 2**64 - 1, -1], [2, 1, 1, 0], [1, 0, 0, 0, [], True], [1], [], [99, {}]),
    _seed(_call("test.later"), _call("test.later"), [6, "rpc:c:1"], _call("test.progress", progress=True)),
    b"\x00" + joined([HEADER.pack(5, 0, 9) + b"\x81", HEADER.pack(5, 9, 9), HEADER.pack(2**32 - 1, 0, 1) + b"\xc0"]),
    _seed(_call("wslink.subscribe", {"subscription": 1, "topic": "test.topic", "filter": {"a": {"gte": 1}}},
                id_="system:c:1"), _call("test.publish")),
]  # fmt: skip

APP = App(secret="s", limits=Limits(max_message=1 << 20))
TOPIC = APP.topic("test.topic")


@APP.method("test.echo")
def echo(value: Any = None) -> Any:
    return value


@APP.method("test.sum")
async def total(items: AsyncIterator[int]) -> int:
    return sum([item async for item in items])


@APP.method("test.count")
async def count(most: int = 3) -> AsyncIterator[int]:
    for number in range(min(most, 50)):
        yield number


@APP.method("test.later")
async def later() -> None:
    await asyncio.sleep(60)


@APP.method("test.progress")
def progress(call: Call) -> None:
    call.progress(0.5)


@APP.method("test.publish")
def publish() -> None:
    TOPIC.publish({"n": 1}, tags={"a": 2})


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    read_traceparent(data[1:].decode("latin-1"))
    with nothing_raised("on_progress raised"):
        LOOP.run_until_complete(_visit(data))


async def _visit(data: bytes) -> None:
    sink = Sink()
    session = Session(APP._hub, sink, Opening())
    hello = {"secret": "s", "features": FEATURES, "resume": {}}
    text = msgpack.packb(_call("wslink.hello", hello, id_="system:c0:0"))
    session.receive(True, HEADER.pack(0, 0, len(text)) + text)
    assert session.client is not None
    before = sink.size
    client = APP.clients[session.client_id]
    asked = [asyncio.ensure_future(client.call("page.shown", on_progress=lambda value: None)) for _ in range(2)]
    await asyncio.sleep(0)
    plain = data[:1] != b"\x00"
    for number, frame in enumerate(frames(data[1:])):
        session.receive(True, HEADER.pack(number + 1, 0, len(frame)) + frame if plain else frame)
        if number % 4 == 3:
            await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert sink.size - before < 100_000 + 64 * len(data)
    session.close(1000, "over")
    session.closed(True)
    late = asyncio.all_tasks() - {asyncio.current_task()}
    for task in (*late, *asked):
        task.cancel()
    await asyncio.gather(*late, *asked, return_exceptions=True)
    assert not APP.clients
