"""What comes before a good hello, and hello itself: a session of a server, with a transport that keeps what is sent."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging

import msgpack

from tests.fuzz.sinks import Sink
from tests.fuzz.vectors import group, plain
from wslink import App
from wslink.session.identity import Opening
from wslink.session.session import Session
from wslink.wire.chunks import HEADER

SEEDS = [
    *(b"\x00" + json.dumps(case["request"]).encode() for case in group("hello", "cases")),
    *(b"\x01" + msgpack.packb(plain(case["request"])) for case in group("hello", "cases")),
    b"\x01" + msgpack.packb({"id": "system:hello", "method": "wslink.hello", "args": [{"secret": {(1, 2): 1}}]}),
    b"\x00" + b'{"id": "system", "method": "wslink.hello", "args": [{"secret": "s3cret", "features": [[]]}]}',
    b"\x01" + msgpack.packb({"id": "rpc:x", "method": "application.exit"}),
]


APP = App(secret="s3cret")
APP.method("test.never")(lambda: 1 / 0)
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    logger = logging.getLogger("wslink")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        LOOP.run_until_complete(_visit(data))
    finally:
        logger.setLevel(level)


async def _visit(data: bytes) -> None:
    sink = Sink()
    session = Session(APP._hub, sink, Opening())
    binary, text = bool(data[:1] and data[0] % 2), data[1:]
    frame = HEADER.pack(1, 0, len(text)) + text if binary else text
    for _ in range(3):
        session.receive(binary, frame)
    await asyncio.sleep(0)
    assert sink.size < 20_000 + 8 * len(data)
    assert b"s3cret" in data or session.client is None
    session.closed()
    assert not APP.clients
    late = asyncio.all_tasks() - {asyncio.current_task()}  # a refusal is told with delay
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
