"""What every engine must do, over real sockets."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import struct
import time

import pytest

from tests.conftest import Open, Serve
from tests.transport.conftest import HELLO, Connect
from tests.transport.raw import CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, call
from wslink import App, Limits
from wslink.transport import closing, heartbeat

MIB = 1024 * 1024


# Frames


@pytest.mark.parametrize("generation", [1, 2])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 8192, 8193, 65535, 65536, 300_000, 9 * MIB])
async def test_sizes_of_every_kind(
    engine: str, generation: int, size: int, echo: App, serve: Serve, peers: Open
) -> None:
    limits = Limits(max_msg_size=16 * MIB) if generation == 1 else None
    served = echo if limits is None else App(secret="secret", limits=limits)
    served.method("again")(lambda value: value)
    peer = await peers(await serve(served, engine=engine), generation, hello={})
    value = "x" * size
    assert (await peer.call("again", value))["result"] == value


async def test_a_large_frame_follows_small_ones_in_order(engine: str, app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("a")
    peer = await peers(await serve(app, engine=engine), 2, hello={})
    sizes = [10, 5 * MIB, 20, 100_000, 30, MIB, 40]
    for size in sizes:
        topic.publish(bytes(size))
    assert [len((await peer.publication())["result"]) for _ in sizes] == sizes


async def test_a_message_in_fragments(engine: str, echo: App, serve: Serve, sockets: Connect) -> None:
    socket = await sockets(await serve(echo, engine=engine))
    text = call("echo", "in parts")
    socket.send(TEXT, text[:10], fin=False)
    socket.send(CONTINUATION, text[10:20], fin=False)
    socket.send(PING, b"between")
    socket.send(CONTINUATION, text[20:])
    assert await socket.receive() == (PONG, b"between", True, False)
    assert json.loads((await socket.receive()).payload)["result"] == "in parts"


@pytest.mark.parametrize(
    "frames",
    [
        [(CONTINUATION, b"x", True)],
        [(TEXT, b"x", False), (TEXT, b"y", True)],
        [(3, b"x", True)],
        [(PING, b"x", False)],
        [(PING, b"x" * 126, True)],
    ],
)
async def test_a_broken_frame_ends_the_connection_with_1002(
    engine: str, frames: list[tuple[int, bytes, bool]], app: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(app, engine=engine))
    for opcode, payload, fin in frames:
        socket.send(opcode, payload, fin=fin)
    assert (await socket.receive_close())[0] == 1002
    socket.send(CLOSE, struct.pack(">H", 1002))
    assert await socket.ended()


async def test_a_frame_without_a_mask_ends_the_connection(
    engine: str, app: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(app, engine=engine))
    socket.send(TEXT, call("echo"), mask=False)
    if engine == "picows":  # aiohttp takes such frames
        assert (await socket.receive_close())[0] == 1002


@pytest.mark.parametrize("pieces", [1, 4])
async def test_a_message_over_the_limit_closes_1009(
    engine: str, pieces: int, app: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIM-1. The connection ends though its client does not answer the close."""
    monkeypatch.setattr(closing, "CLOSE_TIMEOUT", 0.2)
    served = App(secret="secret", limits=Limits(max_msg_size=20_000, msg_overhead=0))
    socket = await sockets(await serve(served, engine=engine))
    for index in range(pieces):
        kind = CONTINUATION if index else TEXT
        socket.send(kind, b" " * (20_001 // pieces + 1), fin=index == pieces - 1)
    assert (await socket.receive_close())[0] == 1009
    assert await socket.ended()


@pytest.mark.parametrize("last", [PING, PONG, TEXT])
async def test_calls_that_arrive_together(engine: str, last: int, echo: App, serve: Serve, sockets: Connect) -> None:
    topic = echo.topic("later")
    socket = await sockets(await serve(echo, engine=engine))
    for number in range(3):
        socket.send(TEXT, call("echo", number, number=number))
    socket.send(last, call("echo", "last") if last == TEXT else b"")
    answers = [json.loads((await socket.receive()).payload)["result"] for _ in range(3)]
    assert answers == [0, 1, 2]
    if last != PONG:
        assert (await socket.receive()).opcode == (PONG if last == PING else TEXT)
    topic.publish("later")
    assert b"later" in (await socket.receive(2)).payload


async def test_a_slow_call_does_not_hold_the_answers_before_it(
    engine: str, echo: App, serve: Serve, sockets: Connect
) -> None:
    echo.method("slow")(lambda: time.sleep(0.3))
    socket = await sockets(await serve(echo, engine=engine))
    for _ in range(2):  # what is slow is known once it has been called
        socket.send(TEXT, call("echo", "quick"))
        socket.send(TEXT, call("slow"))
        await socket.receive()
        start = time.monotonic()
        await socket.receive()
    assert time.monotonic() - start < 0.4


# Closing


async def test_the_peers_close_is_answered(engine: str, app: App, serve: Serve, sockets: Connect) -> None:
    gone = asyncio.Event()
    app.on_disconnect(lambda client_id: gone.set())
    socket = await sockets(await serve(app, engine=engine))
    socket.send(CLOSE, struct.pack(">H", 1000) + b"bye")
    assert (await socket.receive_close())[0] == 1000
    assert await socket.ended()
    await asyncio.wait_for(gone.wait(), 5)


async def test_a_dropped_connection_is_noticed(engine: str, app: App, serve: Serve, sockets: Connect) -> None:
    gone = asyncio.Event()
    app.on_disconnect(lambda client_id: gone.set())
    socket = await sockets(await serve(app, engine=engine))
    socket.close()
    await asyncio.wait_for(gone.wait(), 5)
    assert not app.clients


async def test_code_and_reason_reach_the_peer(engine: str, app: App, serve: Serve, sockets: Connect) -> None:
    limits = Limits(hello_timeout=0.1)
    socket = await sockets(await serve(App(secret="s", limits=limits), engine=engine), hello=False)
    assert await socket.receive_close() == (1008, "no good hello within hello_timeout (0.1 s)")


async def test_the_servers_stop_reaches_everybody(engine: str, app: App, peers: Open, sockets: Connect) -> None:
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine)
    url = f"ws://127.0.0.1:{server.port}/ws"
    known, stranger = await sockets(url), await sockets(url, hello=False)
    start = time.monotonic()
    stopping = asyncio.create_task(server.stop())
    for socket in (known, stranger):
        assert (await socket.receive_close())[0] == 1001
        socket.send(CLOSE, struct.pack(">H", 1001))
        assert await socket.ended()
    await stopping
    assert time.monotonic() - start < 1


async def test_a_peer_that_does_not_answer_the_close_is_dropped(engine: str, app: App, sockets: Connect) -> None:
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine)
    socket = await sockets(f"ws://127.0.0.1:{server.port}/ws")
    await asyncio.wait_for(server.stop(), 8)
    assert await socket.ended()


# Reading slowly


async def test_a_stalled_client_keeps_the_newest_only(engine: str, serve: Serve, sockets: Connect) -> None:
    """Defects 1 and 2: what a client does not read waits once per key, whatever is published."""
    app = App(secret="secret")
    topic = app.topic("frames", delivery="latest")
    socket = await sockets(await serve(app, engine=engine))
    count = 60
    for index in range(count):
        topic.publish({"n": index, "data": "x" * MIB})
        await asyncio.sleep(0)
    numbers = []
    while not numbers or numbers[-1] != count - 1:
        numbers.append(json.loads((await socket.receive()).payload)["result"]["n"])
    assert numbers == sorted(numbers)
    assert len(numbers) < 20


async def test_a_pong_finds_its_way_between_large_frames(
    engine: str, echo: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(echo, engine=engine))
    socket.send(TEXT, call("echo", "y" * 4_000_000))
    socket.send(PING, b"?")
    frames = [await socket.receive(), await socket.receive()]
    assert {frame.opcode for frame in frames} == {TEXT, PONG}


# Life


async def test_a_silent_peer_is_dropped(
    engine: str, app: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    socket = await sockets(await serve(app, engine=engine, heart_beat=0.1))
    assert (await socket.receive()).opcode == PING
    assert await socket.ended()


def trusting() -> ssl.SSLContext:
    pytest.importorskip("cryptography")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_peer_that_closes_twice_over_tls_ends_no_other_heartbeat(
    engine: str, loop: str, app: App, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """asyncio's TLS forgets its socket where it is closed again before it has ended."""
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    monkeypatch.setattr(closing, "CLOSE_TIMEOUT", 0.3)

    async def close_twice() -> None:
        server = await app.serve(
            port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine, ssl="adhoc", heart_beat=0.1
        )
        sockets = []
        for _ in range(3):
            socket = await RawSocket.open(f"wss://127.0.0.1:{server.port}/ws", tls=trusting())
            sockets.append(socket)
            socket.send(TEXT, HELLO)
            assert b'"clientID"' in (await socket.receive()).payload
            if len(sockets) < 3:
                socket.writer.transport.pause_reading()  # it does not answer TLS, either
                for _ in range(3):
                    socket.send(CLOSE, struct.pack(">H", 1000))
                await asyncio.sleep(0.1)
        assert await sockets[-1].ended()
        await asyncio.sleep(0.5)
        for socket in sockets:
            socket.close()
        await asyncio.sleep(0.1)
        await server.stop()

    make = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    running = make()
    try:
        running.run_until_complete(asyncio.wait_for(close_twice(), 20))
    finally:
        running.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_peer_that_sends_slowly_stays(
    app: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large frame on a slow line: its pongs stand behind it."""
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    app.method("size")(lambda data: len(data))
    socket = await sockets(await serve(app, engine="picows", heart_beat=0.1))
    text = call("size", "x" * 90)
    socket.writer.write(bytes((0x81, 0x80 | 126)) + struct.pack(">H", len(text)) + bytes(4))
    for byte in text[:-1]:
        socket.writer.write(bytes((byte,)))
        await asyncio.sleep(0.005)
    socket.writer.write(text[-1:])
    while (frame := await socket.receive()).opcode == PING:
        pass
    assert json.loads(frame.payload)["result"] == 90


async def test_a_peer_that_answers_stays_though_the_loop_was_busy(
    engine: str, app: App, serve: Serve, sockets: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)

    @app.method("busy")
    def busy() -> None:
        time.sleep(0.5)

    socket = await sockets(await serve(app, engine=engine, heart_beat=0.1))
    socket.send(TEXT, call("busy"))
    answered = False
    for _ in range(8):
        frame = await socket.receive()
        answered = answered or frame.opcode == TEXT
        if frame.opcode == PING:
            socket.send(PONG, frame.payload)
    assert answered


async def test_tls(engine: str, echo: App, serve: Serve, peers: Open) -> None:
    url = (await serve(echo, engine=engine, ssl="adhoc")).replace("ws://", "wss://")
    peer = await peers(url, 2, hello={}, ssl=trusting())
    value = os.urandom(9 * MIB)
    assert (await peer.call("echo", value))["result"] == value
    assert (await peer.call("echo", 1))["result"] == 1


async def test_http_and_websocket_on_one_connection_after_another(
    engine: str, app: App, serve: Serve, sockets: Connect
) -> None:
    """A keep-alive connection that has served HTTP may still be upgraded."""
    url = await serve(app, engine=engine)
    host = url.split("/")[2]
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(f"GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b" 404 " in head
    size = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
    await reader.readexactly(size)
    writer.write(
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    socket = RawSocket(reader, writer)
    socket.send(TEXT, HELLO)
    assert b"clientID" in (await socket.receive()).payload
    socket.close()
