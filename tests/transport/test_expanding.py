"""Compressed messages of clients (RFC 7692): in any pieces, each expanded in its order, to no more than it may be."""

from __future__ import annotations

import asyncio
import json
import os
import tracemalloc
import zlib
from typing import Any

import pytest

from tests.conftest import Serve
from tests.transport.conftest import Connect
from tests.transport.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, call
from tests.transport.test_compression import DEFLATE, MIB
from wslink import App, Limits


class Deflating:
    """A client's compressor, which refers to earlier messages."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=-15)

    def __call__(self, data: bytes) -> bytes:
        return (self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def answers(socket: RawSocket, count: int) -> list[Any]:
    """The results of so many calls."""
    expander, found = zlib.decompressobj(wbits=-15), list[Any]()
    while len(found) < count:
        frame = await socket.receive()
        if frame.opcode == TEXT:
            text = expander.decompress(frame.payload + b"\0\0\xff\xff") if frame.rsv1 else frame.payload
            found.append(json.loads(text)["result"])
    return found


@pytest.mark.parametrize("step", [1, 10**9])
async def test_messages_that_refer_to_earlier_ones_come_in_any_pieces(
    engine: str, step: int, echo: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    deflate, sent = Deflating(), bytearray()
    write, socket.writer.write = socket.writer.write, sent.extend  # type: ignore[method-assign,assignment]
    values = [f"a value that is much like the one before it, number {n}" for n in range(8)]
    for number, value in enumerate(values):
        data = deflate(call("echo", value, number=number)) if number % 4 else call("echo", value, number=number)
        socket.send(TEXT, data[:9], rsv1=bool(number % 4), fin=False)
        socket.send(PING, b"between")
        socket.send(CONTINUATION, data[9:])
    for at in range(0, len(sent), step):
        write(bytes(sent[at : at + step]))
        await asyncio.sleep(0)
    assert await answers(socket, len(values)) == values


async def test_large_and_small_ones_stay_in_order(engine: str, echo: App, serve: Serve, sockets: Connect) -> None:
    came: list[str] = []
    echo.method("keep")(came.append)
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    deflate = Deflating()
    values = [os.urandom(size // 2).hex() for size in (2 * MIB, 5, 100_000, 0, 900_000, 3)]
    for number, value in enumerate(values):
        data = call("keep", value, number=number)
        socket.send(TEXT, data if number == 1 else deflate(data), rsv1=number != 1)
    await answers(socket, len(values))
    assert [value[:50] for value in came] == [value[:50] for value in values]


async def test_before_hello_a_message_expands_to_the_smaller_limit(engine: str, serve: Serve, sockets: Connect) -> None:
    app = App(secret="secret", limits=Limits(auth_msg_size=65_536))
    socket = await sockets(await serve(app, engine=engine), hello=False, extensions=DEFLATE)
    bomb = Deflating()(b"[" * 32 * MIB)
    assert len(bomb) < 65_536
    tracemalloc.start()
    try:
        socket.send(BINARY, bomb, rsv1=True)
        assert (await socket.receive_close())[0] == 1009
        assert tracemalloc.get_traced_memory()[1] < 4 * MIB  # it was not expanded first, and refused then
    finally:
        tracemalloc.stop()


async def test_text_that_is_none_closes_with_1007(engine: str, echo: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    socket.send(TEXT, Deflating()(b"\xff\xfe"), rsv1=True)
    socket.send(PONG)
    assert (await socket.receive_close())[0] == 1007


@pytest.mark.parametrize("compressed", [False, True])
async def test_what_comes_right_before_a_close_is_handled_and_nothing_behind_it(
    engine: str, compressed: bool, echo: App, serve: Serve, sockets: Connect
) -> None:
    came: list[str] = []
    echo.method("keep")(came.append)
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    deflate, sent = Deflating(), bytearray()
    write, socket.writer.write = socket.writer.write, sent.extend  # type: ignore[method-assign,assignment]
    for number, size in enumerate((20_000, 5)):
        data = call("keep", os.urandom(size // 2).hex(), number=number)
        socket.send(TEXT, deflate(data) if compressed else data, rsv1=compressed)
    socket.send(CLOSE, b"\x03\xe8")
    socket.send(TEXT, call("keep", "behind"))
    write(bytes(sent))
    assert (await socket.receive_close())[0] == 1000
    assert await socket.ended()
    assert [len(value) for value in came] == [20_000, 4]


async def test_a_client_that_answers_the_refusal_of_its_message_is_not_kept_waiting(
    engine: str, echo: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wslink.transport.closing.CLOSE_TIMEOUT", 60)
    socket = await sockets(await serve(echo, engine=engine), extensions=DEFLATE)
    socket.send(BINARY, os.urandom(20_000), rsv1=True)
    assert (await socket.receive_close())[0] in (1002, 1007)
    socket.send(CLOSE, b"\x03\xef")
    assert await socket.ended()
