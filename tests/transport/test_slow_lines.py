"""Peers that take long are not taken for dead, and those that are dead are."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tests.asgi_server import under_uvicorn
from tests.conftest import Open, Serve
from tests.released.serving import Protocol
from tests.transport.places import running
from tests.transport.raw import BINARY, CLOSE, PING, PONG, TEXT, RawSocket
from tests.transport.shaped import shaped
from wslink import App, register
from wslink.compat.websocket import LinkProtocol
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.transport import heartbeat
from wslink.transport.base import ENGINES
from wslink.wire.limits import Limits

MIB = 1024 * 1024
BEAT = 0.3
HELLO = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "secret"}]}

Connect = Callable[..., Awaitable[RawSocket]]


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    return str(request.param)


class Link(LinkProtocol):
    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data

    @register("slow.fetch")
    def fetch(self) -> bytes:
        return self.data

    @register("slow.size")
    def size(self, data: bytes) -> int:
        return len(data)


def through(url: str, port: int) -> str:
    return f"ws://127.0.0.1:{port}/{url.rpartition('/')[2]}"


async def test_a_large_result_reaches_a_client_behind_a_slow_line(
    engine: str, app: App, serve: Serve, peers: Open
) -> None:
    """Its pongs come only after 6 intervals or more."""
    data = os.urandom(6 * MIB)
    app.method("fetch")(lambda: data)
    url = await serve(app, engine=engine, heart_beat=BEAT)
    async with shaped("127.0.0.1", int(url.split(":")[2].split("/")[0]), down=2e6) as port:
        peer = await peers(through(url, port), 2, hello={})
        assert (await peer.call("fetch"))["result"] == data


async def test_a_large_argument_arrives_from_behind_a_slow_line(
    engine: str, app: App, serve: Serve, peers: Open
) -> None:
    app.method("size")(len)
    url = await serve(app, engine=engine, heart_beat=BEAT)
    async with shaped("127.0.0.1", int(url.split(":")[2].split("/")[0]), up=1e6) as port:
        peer = await peers(through(url, port), 2, hello={})
        assert (await peer.call("size", os.urandom(3 * MIB)))["result"] == 3 * MIB


async def test_a_viewer_of_a_stream_that_is_denser_than_its_line_stays(
    engine: str, app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("frames", delivery="latest")
    url = await serve(app, engine=engine, heart_beat=BEAT)

    async def stream() -> None:
        while True:
            frames.publish(os.urandom(400_000))
            await asyncio.sleep(0.02)

    async with shaped("127.0.0.1", int(url.split(":")[2].split("/")[0]), down=1e6) as port:
        peer = await peers(through(url, port), 2, hello={"features": ["subscribe"]})
        await peer.subscribe(1, "frames")
        task = asyncio.create_task(stream())
        try:
            for _ in range(10):
                await peer.publication()
        finally:
            task.cancel()
        app.method("ping")(lambda: "pong")
        assert (await peer.call("ping"))["result"] == "pong"


async def test_a_page_that_is_busy_for_two_intervals_stays(engine: str, app: App, serve: Serve) -> None:
    url = await serve(app, engine=engine, heart_beat=BEAT)
    socket = await RawSocket.open(url)
    socket.send(TEXT, json.dumps(HELLO).encode())
    await socket.receive()
    for _ in range(3):
        await asyncio.sleep(2.5 * BEAT)
        while (frame := await socket.receive()).opcode != PING:
            pass
        socket.send(PONG, frame.payload)
    socket.close()


async def test_a_client_that_reads_nothing_is_dropped_and_that_is_logged(
    engine: str, app: App, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    frames = app.topic("frames", delivery="latest")
    url = await serve(app, engine=engine, heart_beat=BEAT)
    socket = await RawSocket.open(url)
    socket.send(TEXT, json.dumps(HELLO).encode())
    await socket.receive()
    socket.reader._transport.pause_reading()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 8
    with caplog.at_level(logging.WARNING):
        while app.clients and time.monotonic() < deadline:
            frames.publish(os.urandom(1000))
            await asyncio.sleep(0.02)
    assert not app.clients
    assert [record.name for record in caplog.records if "no sign of life" in record.message] == [
        f"wslink.transport.{engine}"
    ]
    socket.close()


async def test_a_close_while_much_is_on_its_way_is_answered(
    engine: str, app: App, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(20 * MIB)
    app.method("fetch")(lambda: data)
    url = await serve(app, engine=engine)
    async with shaped("127.0.0.1", int(url.split(":")[2].split("/")[0]), down=20e6) as port:
        socket = await RawSocket.open(through(url, port))
        socket.send(TEXT, json.dumps(HELLO).encode())
        await socket.receive()
        call = {"wslink": "1.0", "id": "rpc:c0:1", "method": "fetch", "args": []}
        socket.send(TEXT, json.dumps(call).encode())
        await asyncio.sleep(0.1)
        socket.send(CLOSE, b"\x03\xe8")
        opcodes = []
        while (frame := await socket.receive(20)).opcode != CLOSE:
            opcodes.append(frame.opcode)
        assert frame.payload == b"\x03\xe8"
        assert opcodes == [TEXT, BINARY, TEXT][: len(opcodes)]  # each as a whole
        assert await socket.ended()
        socket.close()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_tornado_waits_for_slow_lines_too(direction: str, monkeypatch: pytest.MonkeyPatch, peers: Open) -> None:
    pytest.importorskip("tornado")
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    monkeypatch.setenv("WSLINK_HEART_BEAT", str(BEAT))
    data = os.urandom(3 * MIB)
    protocol = Protocol(Link(data))
    async with (
        running({"ws": {"ws": protocol}}, "tornado") as server,
        shaped("127.0.0.1", server.get_port(), **{direction: 1e6}) as port,
    ):
        peer = await peers(f"ws://127.0.0.1:{port}/ws", 2, hello={"secret": protocol.secret})
        if direction == "down":
            assert (await peer.call("slow.fetch"))["result"] == data
        else:
            assert (await peer.call("slow.size", data))["result"] == len(data)


async def test_tornado_drops_who_answers_no_ping(
    monkeypatch: pytest.MonkeyPatch, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("tornado")
    monkeypatch.setattr(heartbeat, "MIN_INTERVAL", 0)
    monkeypatch.setenv("WSLINK_HEART_BEAT", "0.1")
    protocol = Protocol()
    async with running({"ws": {"ws": protocol}}, "tornado") as server:
        peer = await peers(
            f"ws://127.0.0.1:{server.get_port()}/ws", 2, hello={"secret": protocol.secret}, autoping=False
        )
        await peer.closed()
    assert "no sign of life" in caplog.text


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_an_asgi_application_waits_for_slow_lines_too(direction: str, peers: Open) -> None:
    """Its server's pings are off here: what is left is ours. Each frame takes more than `stall_timeout`."""
    app, data = App(secret="secret", limits=Limits(stall_timeout=0.5)), os.urandom(3 * MIB)
    app.method("fetch")(lambda: data)
    app.method("size")(len)
    async with (
        under_uvicorn(app.asgi(), ws_ping_interval=None) as server,
        shaped("127.0.0.1", server, **{direction: 1e6}) as port,
    ):
        peer = await peers(f"ws://127.0.0.1:{port}/ws", 2, hello={})
        if direction == "down":
            assert (await peer.call("fetch"))["result"] == data
        else:
            assert (await peer.call("size", data))["result"] == len(data)
        await peer.socket.close()


async def test_pings_of_uvicorn_pass_a_line_that_takes_what_waits_before_them_in_time(peers: Open) -> None:
    """docs/python.md: 10 MiB in `--ws-ping-timeout`."""
    app, data = App(secret="secret"), os.urandom(16 * MIB)
    app.method("fetch")(lambda: data)
    async with (
        under_uvicorn(app.asgi(), ws_ping_interval=1, ws_ping_timeout=4) as server,
        shaped("127.0.0.1", server, down=2.5 * MIB) as port,
    ):
        peer = await peers(f"ws://127.0.0.1:{port}/ws", 2, hello={})
        assert (await peer.call("fetch"))["result"] == data
        await peer.socket.close()


@asynccontextmanager
async def relaying(mode: str) -> AsyncIterator[int]:
    """The port of a relay. What it does in mode forward, the launcher's session proxy does, too."""
    relay = Relay(Options(mode=mode, proxy_route="/{port}"))
    runner = web.AppRunner(relay.application(), access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_tunnel_passes_on_the_pace_of_a_slow_line(
    engine: str, direction: str, app: App, serve: Serve, peers: Open
) -> None:
    """The server sees the tunnel's end of the line: what that takes is what the peer takes."""
    data = os.urandom(3 * MIB)
    app.method("fetch")(lambda: data)
    app.method("size")(len)
    url = await serve(app, engine=engine, heart_beat=BEAT)
    async with relaying("forward") as relay, shaped("127.0.0.1", relay, **{direction: 1e6}) as port:
        peer = await peers(f"ws://127.0.0.1:{port}/{url.split(':')[2].split('/')[0]}", 2, hello={})
        if direction == "down":
            assert (await peer.call("fetch"))["result"] == data
        else:
            assert (await peer.call("size", data))["result"] == len(data)
        await peer.socket.close()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_server_behind_a_relay_waits_for_slow_lines(
    direction: str, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_HEART_BEAT", "1")
    protocol = Protocol(Link(data := os.urandom(3 * MIB)))
    async with (
        relaying("relay") as relay,
        running({"reverse_url": f"ws://127.0.0.1:{relay}/1", "ws_protocol": protocol}, "aiohttp"),
        shaped("127.0.0.1", relay, **{direction: 5e5}) as port,
    ):
        peer = await peers(f"ws://127.0.0.1:{port}/1", 2, hello={"secret": protocol.secret})
        if direction == "down":
            assert (await peer.call("slow.fetch"))["result"] == data
        else:
            assert (await peer.call("slow.size", data))["result"] == len(data)
        await peer.socket.close()
