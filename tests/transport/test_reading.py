"""Large frames, which picows is given in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgpack
import pytest

from tests.conftest import Serve
from tests.transport.conftest import HELLO, Connect
from tests.transport.raw import BINARY, CONTINUATION, PING, PONG, TEXT, RawSocket, call
from wslink import App
from wslink.transport.picows import reading
from wslink.transport.picows.reading import Reader
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits

MIB = 1024 * 1024
PIECE = 64 * 1024
MASK = b"\x93\x01\xfe\x5a"
SERVER = textwrap.dedent("""
    import asyncio
    from wslink import App
    from wslink.wire.limits import Limits

    app = App(secret="secret", limits=Limits(max_msg_size=16 * 2**20))

    def resident(key):
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) * 1024

    @app.method("take")
    def take(data: bytes) -> int:
        return len(data)

    @app.method("begin")
    def begin() -> int:
        open("/proc/self/clear_refs", "w").write("5")
        return resident("VmRSS")

    @app.method("most")
    def most() -> int:
        return resident("VmHWM")

    async def main():
        server = await app.serve(host="127.0.0.1", port=0, ready_msg="")
        print(server.port, flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())
""")


def masked(payload: bytes) -> bytes:
    key = MASK * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(key[: len(payload)], "little")
    return mixed.to_bytes(len(payload), "little")


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A frame of a client's, with a mask that is none of zeros."""
    size, first = len(payload), opcode | fin << 7
    head = struct.pack(">BB", first, size | 128) if size < 126 else struct.pack(">BBH", first, 254, size % 65536)
    if size > 65535:
        head = struct.pack(">BBQ", first, 255, size)
    return head + MASK + masked(payload)


def chunks(message: Any, size: int, number: int = 5) -> list[bytes]:
    text = msgpack.packb(message)
    return [
        HEADER.pack(number, offset, len(text)) + text[offset : offset + size - HEADER.size]
        for offset in range(0, len(text), size - HEADER.size)
    ]


def request(method: str, *args: Any, id_: str = "rpc:c0:1") -> dict[str, Any]:
    return {"wslink": "1.0", "id": id_, "method": method, "args": list(args), "kwargs": {}}


@pytest.fixture(autouse=True)
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller ones, which take less time to make."""
    for name in ("PIECE", "MAX_READ"):
        monkeypatch.setattr(reading, name, PIECE)


# The memory of a server ----------------------------------------------------------


@pytest.fixture
def server() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the memory of a process from /proc")
async def test_what_one_client_sends_is_in_memory_once(server: int) -> None:
    """8 MiB: the value, and a piece of the frame that brings it."""
    data = random.Random(1).randbytes(8 * MIB)
    first = await RawSocket.open(f"ws://127.0.0.1:{server}/ws")
    first.send(TEXT, HELLO)
    await first.receive()
    announced = {"wslink": "1.0", "method": "wslink.binary.attachment", "args": ["wslink_bin1"]}
    attached = [(TEXT, json.dumps(announced).encode()), (BINARY, data), (TEXT, call("take", "wslink_bin1"))]
    before = await asked(first, (TEXT, call("begin")))
    for _ in range(2):
        assert await asked(first, *attached) == 8 * MIB
    assert await asked(first, (TEXT, call("most"))) - before < 1.3 * 8 * MIB
    second = await RawSocket.open(f"ws://127.0.0.1:{server}/ws")
    (hello,) = chunks(json.loads(HELLO), MIB, 0)
    second.send(BINARY, hello)
    await second.receive()
    before = await asked(first, (TEXT, call("begin")))
    for _ in range(2):
        second_chunks = chunks(request("take", data), 4 * MIB)
        assert await asked(second, *((BINARY, chunk) for chunk in second_chunks)) == 8 * MIB
    assert await asked(first, (TEXT, call("most"))) - before < 1.3 * 8 * MIB
    first.close()
    second.close()


async def asked(socket: RawSocket, *frames: tuple[int, bytes]) -> Any:
    for opcode, payload in frames:
        socket.writer.write(frame(opcode, payload))
    answer = await socket.receive()
    text = answer.payload
    return (json.loads(text) if answer.opcode == TEXT else msgpack.unpackb(text[HEADER.size :]))["result"]


# Messages in large frames, over sockets --------------------------------------------


@pytest.fixture
def digesting(app: App) -> App:
    @app.method("digest")
    def digest(value: Any) -> str:
        return hashlib.sha256(value if isinstance(value, bytes) else json.dumps(value).encode()).hexdigest()

    return app


@pytest.mark.parametrize("size", [PIECE, PIECE + 1, 3 * PIECE + 5])
async def test_large_frames_of_version_1_arrive_as_they_were_sent(
    digesting: App, serve: Serve, sockets: Connect, size: int
) -> None:
    """Text and binary, whole and in fragments, with pings in between; their heads come cut anywhere."""
    random_ = random.Random(size)
    data, text = random_.randbytes(size), "".join(random_.choices("abcé☃", k=size // 2))
    socket = await sockets(await serve(digesting, engine="picows"))
    announced = {"wslink": "1.0", "method": "wslink.binary.attachment", "args": ["wslink_bin1"]}
    asking = call("digest", "wslink_bin1")
    stream = b"".join((
        frame(TEXT, json.dumps(announced).encode()), frame(BINARY, data), frame(TEXT, asking),
        frame(PING, b"1"), frame(TEXT, json.dumps(json.loads(call("digest", text)), ensure_ascii=False).encode()),
        frame(TEXT, json.dumps(announced).encode()), frame(BINARY, data, False), frame(PING, b"2"),
        frame(CONTINUATION, data), frame(TEXT, asking),
    ))  # fmt: skip
    await send_in_parts(socket, stream, random_)
    got = [await socket.receive() for _ in range(5)]
    assert [one.payload for one in got if one.opcode == PONG] == [b"1", b"2"]
    results = [json.loads(one.payload)["result"] for one in got if one.opcode == TEXT]
    digests = [hashlib.sha256(value).hexdigest() for value in (data, json.dumps(text).encode(), data + data)]
    assert results == digests


@pytest.mark.parametrize("size", [PIECE + 1, MIB])
async def test_large_chunks_arrive_as_they_were_sent(digesting: App, serve: Serve, sockets: Connect, size: int) -> None:
    """Chunks of two messages, taking turns, small calls in between, and a message that is one chunk."""
    random_ = random.Random(size)
    socket = await sockets(await serve(digesting, engine="picows"), hello=False)
    values = [random_.randbytes(2 * size + 100), [random_.randbytes(40).hex() for _ in range(2 * size // 80)]]
    one, other = (
        chunks(request("digest", value, id_=f"rpc:c0:{number}"), size, number) for number, value in enumerate(values, 1)
    )
    (small,) = chunks(request("digest", "small", id_="rpc:c0:3"), size, 3)
    (whole,) = chunks(request("digest", values[0][: size - 200], id_="rpc:c0:4"), size, 4)
    (hello,) = chunks(json.loads(HELLO), size, 9)
    await send_in_parts(socket, frame(BINARY, hello), random_)
    assert "result" in unpacked(await socket.receive())
    turns = [part for pair in zip(one, other, strict=False) for part in (*pair, small)]
    rest = [*one[len(other) :], *other[len(one) :]]
    await send_in_parts(socket, b"".join(frame(BINARY, part) for part in (*turns, *rest, whole)), random_)
    results: dict[str, str] = {}
    while len(results) < 4:
        answer = unpacked(await socket.receive())
        results[answer["id"]] = answer["result"]
    wanted = [values[0], json.dumps(values[1]).encode(), json.dumps("small").encode(), values[0][: size - 200]]
    assert results == {
        f"rpc:c0:{number}": hashlib.sha256(value).hexdigest()  # type: ignore[arg-type]
        for number, value in enumerate(wanted, 1)
    }


async def send_in_parts(socket: RawSocket, stream: bytes, random_: random.Random) -> None:
    """Some bytes at a time around the first heads, then much at a time."""
    at = 0
    while at < len(stream):
        size = random_.choice((1, 3, 9, 20, 700, 70_000, 300_000) if at < 5_000 else (70_000, 300_000, MIB))
        socket.writer.write(stream[at : at + size])
        at += size
        await socket.writer.drain()
        await asyncio.sleep(0)


def unpacked(got: Any) -> Any:
    assert got.opcode == BINARY
    return msgpack.unpackb(got.payload[HEADER.size :])


async def test_what_is_acknowledged_of_a_large_chunk_is_what_was_sent(
    digesting: App, serve: Serve, sockets: Connect
) -> None:
    socket = await sockets(await serve(digesting, engine="picows"), hello=False)
    message = json.loads(HELLO)
    message["args"][0]["features"] = ["flow"]
    socket.writer.write(frame(BINARY, chunks(message, MIB, 9)[0]))
    assert "flow" in unpacked(await socket.receive())["result"]["features"]
    sent = 0
    for part in chunks(request("digest", bytes(5 * MIB)), 2 * MIB):
        socket.writer.write(frame(BINARY, part))
        sent += len(part)
    counts = [0]
    while counts[-1] != sent:
        answer = unpacked(await socket.receive())
        counts += [answer[1]] if isinstance(answer, list) and answer[0] == 1 else []
    assert max(counts) == sent


@pytest.mark.parametrize("broken", ["overlaps", "beyond its message", "no room for a header"])
async def test_a_large_chunk_that_is_malformed_is_refused_once(
    digesting: App, serve: Serve, sockets: Connect, broken: str
) -> None:
    socket = await sockets(await serve(digesting, engine="picows"), hello=False)
    socket.writer.write(frame(BINARY, chunks(json.loads(HELLO), MIB, 9)[0]))
    await socket.receive()
    first, second, *_ = chunks(request("digest", bytes(3 * MIB)), MIB)
    if broken == "overlaps":
        bad = [first, second, second]
    elif broken == "beyond its message":
        bad = [HEADER.pack(5, 0, 3 * MIB) + bytes(MIB), HEADER.pack(5, 3 * MIB - 9, 3 * MIB) + bytes(MIB)]
    else:
        bad = [HEADER.pack(5, 0, 2 * 1024 * MIB) + bytes(MIB)]
    for part in (*bad, *chunks(request("digest", "after"), MIB, 7)):
        socket.writer.write(frame(BINARY, part))
    answers = [unpacked(await socket.receive()) for _ in range(2)]
    assert [sorted(set(answer) & {"error", "result"}) for answer in answers] == [["error"], ["result"]]


async def test_a_frame_over_the_limit_is_refused_by_its_head(serve: Serve, sockets: Connect) -> None:
    app = App(secret="secret", limits=Limits(max_msg_size=MIB, msg_overhead=0))
    socket = await sockets(await serve(app, engine="picows"))
    socket.writer.write(frame(TEXT, bytes(MIB + 1))[:30])
    code, _ = await socket.receive_close()
    assert code == 1009


async def test_a_frame_over_the_limit_that_comes_whole_is_neither_handled_nor_answered(
    serve: Serve, sockets: Connect
) -> None:
    app, came = App(secret="secret", limits=Limits(max_msg_size=MIB, msg_overhead=0)), list[str]()
    app.method("keep")(came.append)
    socket = await sockets(await serve(app, engine="picows"))
    socket.writer.write(frame(TEXT, call("keep", "x" * MIB)) + frame(TEXT, call("keep", "behind")))
    assert (await socket.receive_close())[0] == 1009
    with contextlib.suppress(ConnectionError):
        assert await socket.reader.read() == b""
    assert came == []


@pytest.mark.parametrize("first", [0x83, 0x89, 0x8B])
async def test_a_large_frame_of_a_wrong_kind_is_refused_by_its_first_bytes(
    serve: Serve, sockets: Connect, first: int, app: App
) -> None:
    socket = await sockets(await serve(app, engine="picows"))
    socket.writer.write(frame(first, bytes(PIECE + 1))[:10])
    code, _ = await socket.receive_close()
    assert code == 1002


# The reader itself, byte by byte ----------------------------------------------------


class Piece(NamedTuple):
    first: int
    payload: bytes


class Inner:
    """Reads frames as picows does, into a buffer that doubles when it is nearly full."""

    def __init__(self) -> None:
        self.buffer = bytearray(1792)
        self.filled = 0
        self.frames: list[Piece] = []

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)[self.filled :]

    def buffer_updated(self, nbytes: int) -> None:
        assert nbytes
        self.filled += nbytes
        if self.filled > 0.9 * len(self.buffer):
            self.buffer = self.buffer + bytes(len(self.buffer))
        while (size := self._one()) <= self.filled:
            self.buffer[: self.filled - size] = self.buffer[size : self.filled]
            self.filled -= size

    def _one(self) -> int:
        """Take a frame; its bytes, or more than there are."""
        if self.filled < 2:
            return 2**63
        length, start = self.buffer[1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if self.filled < start:
                return 2**63
            length = int.from_bytes(self.buffer[2:start], "big")
        end = start + 4 + length
        if end <= self.filled:
            assert bytes(self.buffer[start : start + 4]) == MASK
            self.frames.append(Piece(self.buffer[0], masked(bytes(self.buffer[start + 4 : end]))))
        return end


class Chunked:
    def __init__(self, chunked: bool) -> None:
        self.chunked = chunked
        self.uncounted = self.announced = 0

    def announce(self, size: int) -> None:
        self.announced = size

    def uncount(self, size: int) -> None:
        self.uncounted += size


def read(stream: bytes, ends: list[int], chunked: bool) -> tuple[list[Piece], int]:
    """The frames that come out if the stream comes in parts that end there."""
    inner, listener = Inner(), Chunked(chunked)
    reader = Reader(inner, listener, 16 * MIB, 0)
    at = 0
    for end in [*ends, len(stream)]:
        while at < end:
            view = reader.get_buffer(-1)
            size = min(len(view), end - at)
            assert 0 < size <= PIECE
            view[:size] = stream[at : at + size]
            reader.buffer_updated(size)
            at += size
    assert len(inner.buffer) < 4 * PIECE
    return inner.frames, listener.uncounted


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_frame_becomes_pieces_wherever_it_is_cut(chunked: bool) -> None:
    random_ = random.Random(3)
    payload = HEADER.pack(8, 1000, 5 * MIB) + random_.randbytes(PIECE + 7 - HEADER.size)
    around = [frame(PING, b""), frame(TEXT, bytes(50)), frame(BINARY, bytes(300))]
    stream = b"".join((*around, frame(BINARY, payload), *around))
    start, size = sum(map(len, around)), len(payload)
    small = [Piece(0x89, b""), Piece(0x81, bytes(50)), Piece(0x82, bytes(300))]
    ends = [*range(1, 20), *range(start - 9, start + 30), *range(start + PIECE, start + size + 30, 3)]
    for end in ends:
        frames, uncounted = read(stream, [end, end + 1], chunked)
        assert frames[:3] == frames[5:] == small, end
        first, second = frames[3:5]
        if chunked:
            head = HEADER.pack(8, 1000 + PIECE - HEADER.size, 5 * MIB)
            assert (first.first, second.first, uncounted) == (0x82, 0x82, HEADER.size)
            assert (first.payload, second.payload) == (payload[:PIECE], head + payload[PIECE:]), end
        else:
            assert (first.first, second.first, uncounted) == (0x02, 0x80, 0)
            assert first.payload + second.payload == payload, end


@pytest.mark.parametrize(
    ("first", "firsts"),
    [
        (0x82, [0x02, 0x00, 0x80]),
        (0x81, [0x01, 0x00, 0x80]),
        (0xC2, [0x42, 0x00, 0x80]),  # compressed
        (0x02, [0x02, 0x00, 0x00]),  # the first of several fragments
        (0x00, [0x00, 0x00, 0x00]),
        (0x80, [0x00, 0x00, 0x80]),
    ],
)
def test_a_large_frame_that_cannot_be_chunks_becomes_fragments(first: int, firsts: list[int]) -> None:
    payload = HEADER.pack(8, 0, 3 * PIECE - HEADER.size) + bytes(range(256)) * (3 * PIECE // 256)
    payload = payload[: 3 * PIECE]  # a whole message
    stream = bytes((first,)) + frame(BINARY, payload)[1:]
    frames, uncounted = read(stream, [], chunked=True)
    assert ([one.first for one in frames], uncounted) == (firsts, 0)
    assert b"".join(one.payload for one in frames) == payload
