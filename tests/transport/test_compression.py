"""Compression, by every engine."""

from __future__ import annotations

import asyncio
import json
import os
import struct
import zlib

import msgpack
import pytest

from tests.conftest import Open, Serve
from tests.transport.conftest import Connect
from tests.transport.raw import BINARY, TEXT, call
from wslink import App
from wslink.transport import closing

DEFLATE = "permessage-deflate; client_max_window_bits"
TAIL = b"\x00\x00\xff\xff"
MIB = 1024 * 1024


def deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(data + TAIL)


@pytest.mark.parametrize("size", [2_000, 1_000_000])
async def test_text_is_compressed(engine: str, size: int, echo: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    assert "permessage-deflate" in socket.head
    socket.send(TEXT, call("echo", "text " * (size // 5)))
    frame = await socket.receive()
    assert frame.rsv1
    assert len(frame.payload) < size / 10


async def test_the_compressed_message_is_the_message(engine: str, serve: Serve, peers: Open, echo: App) -> None:
    value = ["text " * 100_000, "x" * 2_000, 5]
    url = await serve(echo, engine=engine)
    for generation in (1, 2):
        peer = await peers(url, generation, hello={}, compress=15)
        assert (await peer.call("echo", value))["result"] == value


@pytest.mark.parametrize("size", [20_000, MIB])
async def test_dense_data_is_not_compressed(engine: str, size: int, serve: Serve, sockets: Connect, app: App) -> None:
    """Defect 4."""
    data = os.urandom(size)
    app.method("data")(lambda: data)
    socket = await sockets(await serve(app, engine=engine), hello=False, extensions=DEFLATE)
    for id_, method, args in (("system:c0:0", "wslink.hello", [{"secret": "secret"}]), ("rpc:c0:1", "data", [])):
        text = msgpack.packb({"wslink": "1.0", "id": id_, "method": method, "args": args})
        socket.send(BINARY, struct.pack("<III", 1, 0, len(text)) + text)
        frame = await socket.receive()
    received = b""
    while data not in received:
        assert not frame.rsv1
        received += frame.payload[12:]
        frame = await socket.receive() if data not in received else frame


async def test_order_holds_while_a_large_message_is_compressed(
    engine: str, echo: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    for number, size in enumerate((2_000_000, 20_000, 3_000_000, 20_000, 50_000)):
        socket.send(TEXT, call("echo", "a" * size, number=number))
    for number in range(5):
        frame = await socket.receive()
        text = inflated(frame.payload) if frame.rsv1 else frame.payload
        if frame.rsv1 and engine == "aiohttp":
            continue  # it keeps its window from message to message
        assert json.loads(text)["id"] == f"rpc:c0:{number}"


async def test_a_connection_closes_after_what_is_being_compressed(
    engine: str, app: App, serve: Serve, peers: Open
) -> None:
    topic = app.topic("a")

    @app.method("last")
    async def last() -> None:
        topic.publish("b" * 3_000_000)
        topic.publish("c")
        stopping.append(asyncio.create_task(server.stop()))

    stopping: list[asyncio.Task[None]] = []
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine)
    peer = await peers(f"ws://127.0.0.1:{server.port}/ws", 1, hello={}, compress=15)
    await peer.start("last")
    got = [(await peer.publication())["result"] for _ in range(2)]
    assert [value[0] for value in got] == ["b", "c"]
    assert (await peer.closed())[0] == 1001
    await stopping[0]


@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_a_compressed_call(engine: str, size: int, echo: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    text = os.urandom(size // 2).hex()
    socket.send(TEXT, deflated(call("echo", text)), rsv1=True)
    socket.send(TEXT, call("echo", "after", number=2))
    frame = await socket.receive()
    answer = inflated(frame.payload) if frame.rsv1 else frame.payload
    assert json.loads(answer)["result"] == text
    frame = await socket.receive()
    assert json.loads(frame.payload)["result"] == "after"


@pytest.mark.parametrize("size", [50 * MIB, 400 * MIB])
async def test_a_bomb_is_not_expanded(engine: str, size: int, app: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(app, engine=engine), extensions=DEFLATE)
    compressor = zlib.compressobj(wbits=-15)
    pieces = [compressor.compress(bytes(MIB)) for _ in range(size // MIB)]
    bomb = b"".join((*pieces, compressor.flush(zlib.Z_SYNC_FLUSH)))[:-4]
    socket.send(TEXT, bomb, rsv1=True)
    assert (await socket.receive_close())[0] == 1009


async def test_malformed_compressed_data_ends_the_connection(
    engine: str, app: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its client does not answer the close."""
    monkeypatch.setattr(closing, "CLOSE_TIMEOUT", 0.2)
    socket = await sockets(await serve(app, engine=engine), extensions=DEFLATE)
    socket.send(TEXT, b"\xff" * 50, rsv1=True)
    assert await socket.ended()


async def test_a_compressed_frame_that_was_not_negotiated_closes_1002(
    engine: str, app: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(app, engine=engine))
    socket.send(TEXT, deflated(call("echo", 1)), rsv1=True)
    assert (await socket.receive_close())[0] == 1002


async def test_no_compression_where_it_is_turned_off(engine: str, app: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(app, engine=engine, ws_compress=False), extensions=DEFLATE)
    assert "Sec-WebSocket-Extensions" not in socket.head
