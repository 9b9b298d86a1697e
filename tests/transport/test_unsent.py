"""What waits where nothing can be replaced any more, in front of a client that reads slowly."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import selectors
import socket
import sys

import msgpack
import pytest

from tests.conftest import Serve
from tests.transport.raw import BINARY, CLOSE, TEXT, RawSocket
from wslink import App
from wslink.transport.base import ENGINES
from wslink.transport.picows.private import Line
from wslink.transport.picows.writing import REST
from wslink.wire.chunks import HEADER

FRAME = 100_000
MIB = 1024 * 1024
RECEIVE_BUFFER = 64 * 1024


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no TCP_NOTSENT_LOWAT")
@pytest.mark.parametrize("engine", ENGINES)
async def test_little_waits_in_the_kernel(app: App, serve: Serve, engine: str) -> None:
    """A client that has stopped reading, and reads again, is sent some 500 kB that were under way, and then the newest:
    of 200 frames of 100 kB all but a few were replaced."""
    frames = app.topic("test.frame", delivery="latest")
    peer = await slow_peer(await serve(app, engine=engine))
    for number in range(200):
        frames.publish({"n": number, "pixels": bytes(FRAME)})
        await asyncio.sleep(0.002)
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
    seen: list[int] = []
    partial: dict[int, bytes] = {}
    while 199 not in seen:
        frame = (await peer.receive()).payload
        id_, _, total = HEADER.unpack_from(frame)
        text = partial[id_] = partial.get(id_, b"") + frame[HEADER.size :]
        if len(text) == total:
            seen.append(msgpack.unpackb(partial.pop(id_))["result"]["n"])
    peer.close()
    assert len(seen) <= 8


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="no TCP_NOTSENT_LOWAT")
async def test_little_waits_behind_a_large_frame(app: App, serve: Serve) -> None:
    """In version 1 a message is one frame, of which the kernel may take much at a time: until it is over."""
    frames = app.topic("test.frame", delivery="latest")
    peer = await slow_peer(await serve(app, engine="picows"), TEXT)
    large = bytes(range(256)) * (32 * 1024)
    frames.publish({"n": -1, "pixels": large})
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await peer.receive()).opcode == TEXT
    assert (await peer.receive()).payload == large
    assert json.loads((await peer.receive()).payload)["result"]["n"] == -1
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for number in range(200):
        frames.publish({"n": number, "pixels": bytes(FRAME)})
        await asyncio.sleep(0.002)
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
    seen: list[int] = []
    while 199 not in seen:
        frame = await peer.receive()
        message = json.loads(frame.payload) if frame.opcode == TEXT else {}
        seen += [message["result"]["n"]] if "result" in message else []
    peer.close()
    assert len(seen) <= 10


async def slow_peer(url: str, kind: int = BINARY) -> RawSocket:
    """A client with a small receive buffer that has said hello, in the version of such frames, and reads no more."""
    peer = await RawSocket.open(url)
    raw: socket.socket = peer.writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    hello = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "secret"}]}
    packed = msgpack.packb(hello)
    peer.send(kind, HEADER.pack(1, 0, len(packed)) + packed if kind == BINARY else json.dumps(hello).encode())
    await peer.receive()
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    return peer


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("version", [1, 2])
async def test_little_of_a_large_frame_is_copied(
    app: App, serve: Serve, version: int, watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel does not take stays where it is: asyncio's transport would copy it. That waits with a little of
    it where the event loop is not asyncio's own, which tells by itself when the kernel takes more."""
    if not watched:
        monkeypatch.setattr("wslink.transport.picows.writing.watch_room", lambda *_: None)
    frames = app.topic("test.frame")
    peer = await slow_peer(await serve(app, engine="picows"), TEXT if version == 1 else BINARY)
    large = random.Random(version).randbytes(24 * 1024 * 1024 + 1)
    frames.publish({"pixels": large})
    await asyncio.sleep(0.2)
    copied = [size for one in gc.get_objects() if isinstance(one, Line) and (size := one.get_write_buffer_size())]
    assert not copied if watched else len(copied) == 1 and copied[0] <= REST
    peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
    received = b""
    while large not in received:
        payload = (await asyncio.wait_for(peer.receive(), 20)).payload
        received += payload if version == 1 else payload[HEADER.size :]
    peer.close()


async def test_a_large_frame_leaves_turns_to_others_where_all_of_it_is_taken(
    app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TURN-1: in version 1 a message is one frame, whatever its size."""
    frames = app.topic("test.frame")
    peer = await slow_peer(await serve(app, engine="picows"), TEXT)
    turns = [0]

    def taken(descriptor: int, pieces: list[bytes]) -> int:
        turns[-1] += (size := sum(map(len, pieces)))
        return size

    monkeypatch.setattr(os, "writev", taken)
    frames.publish({"pixels": bytes(64 * MIB)})
    for _ in range(1000):
        turns.append(0)
        await asyncio.sleep(0)
    assert sum(turns) > 64 * MIB
    assert max(turns) < 10 * MIB
    peer.close()


@pytest.mark.parametrize("ends", ["client", "server"])
async def test_nothing_is_told_of_a_connection_that_ended_within_a_large_frame(
    app: App, serve: Serve, ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    frames = app.topic("test.frame")
    peer = await slow_peer(await serve(app, engine="picows"))
    waiting = len(writers())
    frames.publish({"pixels": bytes(24 * 1024 * 1024)})
    await asyncio.sleep(0.1)
    assert len(writers()) == waiting + 1
    if ends == "client":
        peer.writer.transport.abort()
    else:
        (client,) = app.clients.values()
        client.disconnect()
        peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
        while (await peer.receive()).opcode != CLOSE:
            pass
        peer.close()
    for _ in range(500):
        if len(writers()) == waiting and not app.clients:
            break
        await asyncio.sleep(0.01)
    assert len(writers()) == waiting
    assert not app.clients
    assert not [record for record in caplog.records if record.levelname == "ERROR" or record.name == "asyncio"]
    peer.close()


def writers() -> list[object]:
    """What the event loop waits to write to."""
    keys = asyncio.get_running_loop()._selector.get_map().values()  # type: ignore[attr-defined]
    return [key.fd for key in keys if key.events & selectors.EVENT_WRITE]
