"""Frames that break the WebSocket protocol or a limit of it, or would cost a server more than their sender."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
import tracemalloc
import zlib
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

import psutil
import pytest

from tests.conftest import Open, Serve
from tests.transport.conftest import HELLO, Connect
from tests.transport.raw import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawSocket, call
from tests.transport.test_compression import DEFLATE, MIB, deflated
from wslink import App

MASK = bytes(4)


def frame(first: int, second: int, rest: bytes = b"") -> bytes:
    return bytes((first, second)) + rest


def close(code: int, reason: bytes = b"") -> bytes:
    return struct.pack(">H", code) + reason


# The smallest hostile frames, before hello and after it


BROKEN = {
    "RSV1 without compression": (frame(0xC1, 0x82, MASK + b"{}"), 1002),
    "RSV2": (frame(0xA1, 0x82, MASK + b"{}"), 1002),
    "RSV3": (frame(0x91, 0x82, MASK + b"{}"), 1002),
    "RSV1 on a ping": (frame(0xC9, 0x80, MASK), 1002),
    "RSV2 on a ping": (frame(0xA9, 0x80, MASK), 1002),
    "RSV3 on a close": (frame(0x98, 0x80, MASK), 1002),
    "an unknown opcode": (frame(0x83, 0x80, MASK), 1002),
    "an unknown control opcode": (frame(0x8B, 0x80, MASK), 1002),
    "a fragmented ping": (frame(0x09, 0x80, MASK), 1002),
    "a long ping": (frame(0x89, 0xFE, struct.pack(">H", 126) + MASK + bytes(126)), 1002),
    "no mask": (frame(0x81, 0x02, b"{}"), 1002),
    "a 16-bit length that fits 7": (frame(0x81, 0xFE, struct.pack(">H", 2) + MASK + b"{}"), 1002),
    "a 64-bit length that fits 16": (frame(0x81, 0xFF, struct.pack(">Q", 300) + MASK + bytes(300)), 1002),
    "a length of 2^63": (frame(0x82, 0xFF, struct.pack(">Q", 2**63) + MASK), 1002),
    "a continuation of nothing": (frame(0x80, 0x80, MASK), 1002),
    "text that is not UTF-8": (frame(0x81, 0x82, MASK + b"\xc3\x28"), 1007),
    "text in fragments that is not UTF-8": (
        frame(0x01, 0x81, MASK + b"\xc3") + frame(0x80, 0x81, MASK + b"\x28"), 1007,
    ),
    "close 1004": (frame(0x88, 0x82, MASK + close(1004)), 1002),
    "close 1005": (frame(0x88, 0x82, MASK + close(1005)), 1002),
    "close 1006": (frame(0x88, 0x82, MASK + close(1006)), 1002),
    "close 1015": (frame(0x88, 0x82, MASK + close(1015)), 1002),
    "close 999": (frame(0x88, 0x82, MASK + close(999)), 1002),
    "close 2999": (frame(0x88, 0x82, MASK + close(2999)), 1002),
    "close 5000": (frame(0x88, 0x82, MASK + close(5000)), 1002),
    "close 65535": (frame(0x88, 0x82, MASK + close(65535)), 1002),
    "a close of one byte": (frame(0x88, 0x81, MASK + b"\x03"), 1002),
    "a close whose reason is not UTF-8": (frame(0x88, 0x84, MASK + close(1000, b"\xc3\x28")), 1007),
}  # fmt: skip


@pytest.mark.parametrize("kind", list(BROKEN))
@pytest.mark.parametrize("hello", [False, True], ids=["before hello", "after hello"])
async def test_a_broken_frame_is_answered_with_its_code(
    engine: str,
    kind: str,
    hello: bool,
    app: App,
    serve: Serve,
) -> None:
    url = await serve(app, engine=engine)
    data, code = BROKEN[kind]
    for step in (len(data), 1):
        socket = await RawSocket.open(url)
        if hello:
            socket.send(TEXT, HELLO)
            await socket.receive()
        for start in range(0, len(data), step):
            socket.writer.write(data[start : start + step])
            if step == 1:
                await asyncio.sleep(0)
                if start > 20:
                    break
        if step < len(data) and start > 20:
            socket.close()
            continue
        assert (await socket.receive_close())[0] == code
        socket.close()


@pytest.mark.parametrize("kind", list(BROKEN))
async def test_what_comes_behind_a_broken_frame_is_not_handled(
    engine: str, kind: str, app: App, serve: Serve, sockets: Connect
) -> None:
    """Neither with it nor right after its refusal."""
    handled: list[int] = []
    app.method("test.note")(handled.append)
    socket = await sockets(await serve(app, engine=engine))
    socket.writer.write(BROKEN[kind][0])
    for number in range(4):
        socket.send(TEXT, call("test.note", number))
        await asyncio.sleep(0.002)
    socket.send(CLOSE, close(1000))
    assert await socket.ended()
    assert handled == []


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
async def test_a_proper_close_code_is_echoed(engine: str, code: int, app: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(app, engine=engine))
    socket.send(CLOSE, close(code, b"bye"))
    assert (await socket.receive_close())[0] == code
    assert await socket.ended()


# Sizes


@pytest.mark.parametrize("announced", [70_000, 4 * MIB, 2**40])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_large_frame_before_hello_is_refused_by_its_head(
    engine: str,
    announced: int,
    opcode: int,
    app: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    socket = await sockets(await serve(app, engine=engine), hello=False)
    socket.writer.write(frame(0x80 | opcode, 0xFF, struct.pack(">Q", announced) + MASK))
    assert await socket.receive_close() == (1009, "a message before hello is at most auth_msg_size (65536) bytes")


@pytest.mark.parametrize("cut", [0, 1, 5, 30])
async def test_a_large_frame_right_behind_the_hello_is_accepted(
    engine: str, cut: int, echo: App, serve: Serve, sockets: Connect
) -> None:
    """In one write, or with a part of its head in the first."""
    socket = await sockets(await serve(echo, engine=engine), hello=False)
    text = call("echo", "x" * 200_000)
    hello = frame(0x81, 0x80 | len(HELLO)) if len(HELLO) < 126 else frame(0x81, 0xFE, struct.pack(">H", len(HELLO)))
    data = hello + MASK + HELLO + frame(0x81, 0xFF, struct.pack(">Q", len(text)) + MASK) + text
    if cut:
        first = len(hello) + 4 + len(HELLO) + cut
        socket.writer.write(data[:first])
        await asyncio.sleep(0.05)
        socket.writer.write(data[first:])
    else:
        socket.writer.write(data)
    assert b"clientID" in (await socket.receive()).payload
    assert (await socket.receive()).payload.count(b"x") >= 200_000


async def test_fragments_before_hello_are_bounded_together(
    engine: str,
    app: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    socket = await sockets(await serve(app, engine=engine), hello=False)
    socket.send(TEXT, b"x" * 40_000, fin=False)
    socket.send(CONTINUATION, b"x" * 40_000, fin=False)
    assert (await socket.receive_close())[0] == 1009


async def test_a_compressed_bomb_before_hello_is_not_expanded(
    engine: str,
    app: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    socket = await sockets(await serve(app, engine=engine), hello=False, extensions=DEFLATE)
    bomb = deflated(bytes(40 * MIB))
    assert len(bomb) < 65_536
    socket.send(TEXT, bomb, rsv1=True)
    assert (await socket.receive_close())[0] == 1009


async def test_what_is_held_before_hello(engine: str, app: App, serve: Serve) -> None:
    """Frames that lack their last byte, of many connections."""
    url = await serve(app, engine=engine)
    warm = await RawSocket.open(url)
    process = psutil.Process()
    tracemalloc.start()
    before = process.memory_info().rss
    held = [await RawSocket.open(url) for _ in range(30)]
    for socket in held:
        socket.writer.write(frame(0x82, 0xFE, struct.pack(">H", 65_000) + MASK) + bytes(64_999))
    await asyncio.sleep(0.3)
    grown = process.memory_info().rss - before
    tracemalloc.stop()
    for socket in [warm, *held]:
        socket.close()
    assert grown < 30 * 256 * 1024 + 8 * MIB  # the clients' own part, and what the allocator keeps


# Floods


async def longest_wait(peer: Any, flood: Any) -> float:
    """The longest that a call of `peer` takes while `flood` runs: seconds of this thread, in which all of them run.
    What the machine does beside does not count."""
    longest = 0.0
    task = asyncio.ensure_future(flood)
    while not task.done():
        began = time.thread_time()
        await peer.call("echo", 1)
        longest = max(longest, time.thread_time() - began)
        await asyncio.sleep(0.01)
    await task
    return longest


async def pour(socket: RawSocket, data: bytes, times: int) -> None:
    with contextlib.suppress(ConnectionError, asyncio.TimeoutError):
        for _ in range(times):
            socket.writer.write(data)
            await asyncio.wait_for(socket.writer.drain(), 5)


PINGS = (frame(0x89, 0xFD, MASK) + bytes(125)) * 500


@pytest.mark.parametrize("hello", [False, True], ids=["before hello", "after hello"])
async def test_pings_that_nobody_reads_the_answers_of(
    engine: str,
    hello: bool,
    echo: App,
    serve: Serve,
    peers: Open,
) -> None:
    """100,000 of them: others are served, and little is kept. The newest is answered in the end."""
    url = await serve(echo, engine=engine)
    peer = await peers(url, hello={})
    socket = await RawSocket.open(url)
    if hello:
        socket.send(TEXT, HELLO)
        await socket.receive()
    socket.reader._transport.pause_reading()  # type: ignore[attr-defined]
    before = psutil.Process().memory_info().rss
    waited = await longest_wait(peer, pour(socket, PINGS, 200))
    socket.send(PING, b"the newest")
    await asyncio.sleep(0.3)
    assert psutil.Process().memory_info().rss - before < 32 * MIB
    assert waited < 1  # the flood itself runs in this thread
    socket.reader._transport.resume_reading()  # type: ignore[attr-defined]
    while (await socket.receive()).payload != b"the newest":
        pass
    socket.close()


@pytest.mark.parametrize("hello", [False, True], ids=["before hello", "after hello"])
async def test_empty_fragments_are_bounded(
    engine: str,
    hello: bool,
    echo: App,
    serve: Serve,
    peers: Open,
) -> None:
    """LIM-14."""
    url = await serve(echo, engine=engine)
    peer = await peers(url, hello={})
    socket = await RawSocket.open(url)
    if hello:
        socket.send(TEXT, HELLO)
        await socket.receive()
    socket.send(TEXT, b"{", fin=False)
    waited = await longest_wait(peer, pour(socket, frame(0x00, 0x80, MASK) * 5000, 200))
    assert waited < 1
    with contextlib.suppress(ConnectionError):  # it may be cut off before it has read that
        assert (await socket.receive_close())[0] == 1008
    socket.close()


async def test_small_fragments_are_a_message_all_the_same(
    engine: str,
    echo: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    socket = await sockets(await serve(echo, engine=engine))
    text = call("echo", "x" * 100_000)
    pieces = [text[start : start + 40] for start in range(0, len(text), 40)]
    for number, piece in enumerate(pieces):
        socket.send(TEXT if number == 0 else CONTINUATION, piece, fin=number == len(pieces) - 1)
    assert (await socket.receive()).payload.count(b"x") == 100_000


async def test_pings_that_come_together_are_all_answered_if_they_are_few(
    engine: str,
    app: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    socket = await sockets(await serve(app, engine=engine))
    for number in range(10):
        socket.send(PING, str(number).encode())
    assert [(await socket.receive()).payload for _ in range(10)] == [str(number).encode() for number in range(10)]


# Compression that the client did not restrict


@pytest.mark.parametrize("offer", ["permessage-deflate", "permessage-deflate; client_max_window_bits"])
async def test_a_client_may_keep_its_compressors_window(
    engine: str,
    offer: str,
    echo: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    compressor = zlib.compressobj(wbits=-15)

    def squeeze(data: bytes) -> bytes:
        return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]

    socket = await sockets(await serve(echo, engine=engine), hello=False, extensions=offer)
    assert "client_no_context_takeover" not in socket.head
    socket.send(TEXT, squeeze(HELLO), rsv1=True)
    await socket.receive()
    value = os.urandom(5000).hex()
    for number in range(3):
        data = squeeze(call("echo", value, number=number))
        socket.send(TEXT, data, rsv1=True)
        await socket.receive()
    assert len(data) < 1000  # it refers to the messages before


async def test_a_client_that_offers_to_keep_none_is_taken_at_its_word(
    app: App,
    serve: Serve,
    sockets: Connect,
) -> None:
    offer = "permessage-deflate; client_no_context_takeover"
    socket = await sockets(await serve(app, engine="picows"), hello=False, extensions=offer)
    assert "client_no_context_takeover" in socket.head


async def test_a_client_that_vanishes_leaves_no_lines_behind(
    engine: str, app: App, serve: Serve, sockets: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    topic = app.topic("news")
    socket = await sockets(await serve(app, engine=engine))
    linger = struct.pack("ii", 1, 0)  # closing is a reset
    socket.writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
    socket.writer.transport.abort()
    await asyncio.sleep(0.01)
    for _ in range(5):
        for number in range(40):
            topic.publish(number)
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    assert "socket.send() raised" not in caplog.text
