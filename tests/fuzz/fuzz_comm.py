"""Messages of notebooks' pages: the input is lines of JSON, each the content of a message, with buffers where it has
`buffers`, as text in Latin-1."""

from __future__ import annotations

import asyncio
import atexit
import json
from typing import Any

import msgpack

from tests.fuzz.sinks import nothing_raised
from wslink import App, Limits
from wslink.wire.chunks import HEADER
from wslink.wire.frames import Buffer

LIMITS = Limits(max_clients=8, max_message=1 << 20)
APP = App(secret="s", limits=LIMITS)
APP.method("test.echo")(lambda value=None: value)


def _message(envelope: Any) -> str:
    text = msgpack.packb(envelope)
    return (HEADER.pack(0, 0, len(text)) + text).decode("latin-1")


def _lines(*contents: Any) -> bytes:
    return b"\n".join(json.dumps({"view": "v", "connection": 1, **one}).encode() for one in contents)


HELLO = _message({"id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "s", "features": ["resume"]}]})
CALL = _message({"id": "rpc:c:1", "method": "test.echo", "args": ["x" * 50]})
OPEN = {"kind": "open"}
SEEDS = [
    _lines(OPEN, {"kind": "frames", "number": 0, "texts": [None, None], "buffers": [HELLO, CALL]}, {"kind": "leave"}),
    _lines(OPEN, {"kind": "frames", "number": 0, "texts": [HELLO, "{}", "\ud800", 7]}, {"kind": "taken", "taken": 9}),
    _lines(OPEN, {"kind": "frames", "number": 1, "texts": []}, {"kind": "close", "code": 1000}),
    _lines(OPEN, {"kind": "frames", "number": 0, "texts": [None] * 40, "taken": -5}, {"kind": "pong", "taken": 2**70}),
    _lines(*({"connection": n, **OPEN} for n in range(20)), {"kind": "frames", "number": 0}, {"view": 1, **OPEN}),
    _lines(OPEN, {"kind": "frames", "number": 0, "texts": "abc"}, {"kind": "frames", "number": 1, "texts": {"a": 1}}),
    _lines(OPEN, {"kind": "frames", "number": 0, "texts": 5}, {"kind": "frames", "number": 1.0, "texts": True}),
    _lines({"connection": True, **OPEN}, {"connection": 1.5, **OPEN}, {"connection": 2**80, **OPEN}, {"kind": []}),
]
LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    with nothing_raised():
        LOOP.run_until_complete(_visit(data))


async def _visit(data: bytes) -> None:
    sent = 0

    def send(content: dict[str, Any], buffers: list[Buffer]) -> None:
        nonlocal sent
        sent += len(json.dumps(content)) + sum(map(len, buffers))

    endpoint, views = APP.over_comm(send), set()
    for line in data.split(b"\n"):
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(content, dict):
            continue
        given = content.pop("buffers", [])
        buffers = [str(one).encode("latin-1", "replace") for one in given] if isinstance(given, list) else []
        endpoint.take(content, buffers)
        if isinstance(view := content.get("view"), str):
            views.add(view)
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    assert sent < 10_000 + 64 * len(data)
    for view in views:
        endpoint.take({"kind": "leave", "view": view}, [])
    late = asyncio.all_tasks() - {asyncio.current_task()}
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    assert not endpoint._connections
    assert not APP.clients
