"""What a connection keeps of the last message that it received, while it waits for the next one."""

from __future__ import annotations

import asyncio
import tracemalloc
import weakref
from typing import Any

import pytest

from tests.conftest import Serve
from tests.transport.conftest import HELLO
from tests.transport.raw import TEXT, RawSocket, call
from wslink import App
from wslink.session.state import State
from wslink.transport.asgi import AsgiSocket
from wslink.transport.gate import ReadGate

CLIENTS, SIZE = 6, 3_500_000
KEPT = 2_000_000
"""picows keeps a buffer in which a frame of 1 MiB has room (transport.picows.reading.PIECE)."""


async def test_a_large_message_is_not_kept_after_it_has_been_handled(engine: str, app: App, serve: Serve) -> None:
    app.method("test.length")(lambda text: len(text))
    url = await serve(app, engine=engine)
    sockets = [await RawSocket.open(url) for _ in range(CLIENTS)]
    for socket in sockets:
        socket.send(TEXT, HELLO)
        await socket.receive()
    tracemalloc.start()
    try:
        for socket in sockets:
            socket.send(TEXT, call("test.length", "x" * SIZE))
            assert str(SIZE).encode() in (await socket.receive()).payload
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < CLIENTS * KEPT
    for socket in sockets:
        socket.close()


class Data(bytearray):
    """Bytes of which it can be said whether they are kept."""


class Receiver:
    state = State.OPEN

    def __init__(self) -> None:
        self.received = 0

    def receive(self, binary: bool, data: Any) -> None:
        self.received += len(data)


@pytest.mark.parametrize("closed", [False, True])
async def test_nor_in_an_asgi_application(closed: bool) -> None:
    receiver, gate, kept = Receiver(), ReadGate(), []

    async def receive() -> dict[str, Any]:
        if kept:
            await asyncio.Event().wait()
        data = Data(1000)
        kept.append(weakref.ref(data))
        if closed:
            gate.close()
        return {"type": "websocket.receive", "bytes": data}

    async def send(event: Any) -> None: ...

    reading = asyncio.create_task(AsgiSocket(receive, send).read(lambda: receiver, 4096, gate, lambda on: None))  # type: ignore[arg-type, return-value]
    while not receiver.received:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [one() for one in kept] == [None]
    reading.cancel()
