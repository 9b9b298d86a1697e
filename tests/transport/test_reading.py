"""Large frames, which picows is given in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.conftest import Serve
from tests.transport.conftest import HELLO, Connect
from tests.transport.large import PIECE, frame
from tests.transport.raw import BINARY, CONTINUATION, PING, PONG, TEXT, RawSocket, call
from wslink import App
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits

MIB = 1024 * 1024
pytestmark = pytest.mark.usefixtures("pieces")
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


def chunks(message: Any, size: int, number: int = 5) -> list[bytes]:
    text = msgpack.packb(message)
    return [
        HEADER.pack(number, offset, len(text)) + text[offset : offset + size - HEADER.size]
        for offset in range(0, len(text), size - HEADER.size)
    ]


def request(method: str, *args: Any, id_: str = "rpc:c0:1") -> dict[str, Any]:
    return {"wslink": "1.0", "id": id_, "method": method, "args": list(args), "kwargs": {}}


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
