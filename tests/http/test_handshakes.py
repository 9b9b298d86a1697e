"""Handshakes are answered alike by both ways into a server: through aiohttp, and past it."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
from collections.abc import Iterable

import pytest

from tests.conftest import Open, Serve
from wslink import App
from wslink.transport.base import ENGINES

KEY = base64.b64encode(bytes(range(16))).decode()


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def answer(url: str, head: bytes) -> tuple[int, str]:
    """Status and accept key that a handshake is answered with; 0 where there is no answer."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(head)
        got = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 20)
        accept = [line for line in got.lower().splitlines() if line.startswith(b"sec-websocket-accept")]
        return int(got.split()[1]), b"".join(accept).decode()
    except (asyncio.IncompleteReadError, ConnectionError):
        return 0, ""
    finally:
        writer.transport.abort()


def head(lines: Iterable[str], path: str = "/ws") -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode("latin-1")


def usual(**replaced: str | None) -> list[str]:
    lines = {
        "Host": "127.0.0.1:1", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY,
    }  # fmt: skip
    for name, value in replaced.items():
        lines.pop(name.replace("_", "-"), None)
        if value is not None:
            lines[name.replace("_", "-")] = value
    return [f"{name}: {value}" for name, value in lines.items()]


GOOD = [
    usual(Connection="keep-alive, Upgrade"),
    usual(Connection="Upgrade, keep-alive"),
    usual(Connection="keep-alive,UPGRADE"),
    [*usual(Connection="keep-alive"), "Connection: Upgrade"],
    [*usual(), "Connection: keep-alive"],
    usual(Upgrade="WebSocket"),
    usual(Upgrade="other, websocket"),
    [line.lower() if "Key" not in line else line for line in usual()],
]

BAD = [
    usual(Connection="keep-alive"),
    usual(Connection="upgraded"),
    usual(Connection="not-upgrade"),
    usual(Upgrade="websockets"),
    usual(Upgrade=None),
    usual(Sec_WebSocket_Version="12"),
    usual(Sec_WebSocket_Version=None),
    usual(Sec_WebSocket_Key="c2hvcnQ="),
    usual(Sec_WebSocket_Key=None),
    [*usual(), f"Sec-WebSocket-Key: {KEY}"],
    [*usual(), "Sec-WebSocket-Version: 13"],
]


@pytest.mark.parametrize("lines", GOOD)
async def test_every_spelling_of_an_upgrade_is_accepted(engine: str, lines: list[str], app: App, serve: Serve) -> None:
    url = await serve(app, engine=engine)
    first = await answer(url, head(lines))
    assert first[0] == 101
    assert await answer(url, head(lines)) == first


@pytest.mark.parametrize("lines", BAD)
async def test_no_upgrade_is_426_with_the_version_to_use(engine: str, lines: list[str], app: App, serve: Serve) -> None:
    url = await serve(app, engine=engine)
    assert (await answer(url, head(lines)))[0] == 426
    assert (await answer(url, head(usual())))[0] == 101
    assert (await answer(url, head(lines)))[0] == 426


def generated(count: int) -> list[bytes]:
    """Handshakes of all kinds, most of them with something odd."""
    chance = random.Random(7)
    odd = {
        "Connection": [
            "Upgrade", "keep-alive, Upgrade", "upgrade ,x", "close", "Upgrade\x01", "", ",,upgrade,", "\tUpgrade ",
        ],
        "Upgrade": ["websocket", "WebSocket", "websocket/13", "h2c, websocket", "", "web socket"],
        "Sec-WebSocket-Version": ["13", "8", "7", "0", "13, 8", "", " 13 "],
        "Sec-WebSocket-Key": [KEY, "short", KEY + "=", KEY[:-1], "é" * 22 + "==", ""],
        "Host": ["127.0.0.1", "", "evil.example", "a b"],
        "Origin": ["http://127.0.0.1", "http://evil.example", "null", ""],
        "Sec-WebSocket-Extensions": ["permessage-deflate", "permessage-deflate; client_max_window_bits=7", "x;;,"],
        "Cookie": ["a=b", "x" * 9000, "y" * 17000],
        "Content-Length": ["0", "5", "-1", "x"],
        "Transfer-Encoding": ["chunked", "gzip"],
        "X-Odd Name": ["1"],
        "Bad\x00": ["1"],
        "X-Folded": ["a\r\n b"],
    }  # fmt: skip
    requests = []
    for _ in range(count):
        lines = usual()
        for name in chance.sample(list(odd), chance.choice((0, 1, 1, 1, 2, 3))):
            line = f"{name}: {chance.choice(odd[name])}"
            if name in ("Connection", "Upgrade", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "Host"):
                others = [one for one in lines if not one.startswith(f"{name}:")]
                lines = chance.choice((others, others, lines))
            lines = [*lines, line]
        chance.shuffle(lines)
        if chance.random() < 0.2:
            lines += [f"X-{number}: 1" for number in range(chance.choice((100, 130)))]
        requests.append(head(lines, chance.choice(("/ws", "/ws", "/ws?x=1", "/ws?" + "q" * 9000, "/%77s", "/ws/"))))
    return requests


@pytest.mark.timeout(120)  # of servers that start and stop, on a busy machine
async def test_generated_handshakes_are_answered_alike(engine: str, app: App) -> None:
    """A server that has seen no WebSocket yet leads each to aiohttp; a later one goes past it where it can."""
    requests = generated(150)
    fresh = []
    for request in requests:
        server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine)
        fresh.append(await answer(f"ws://127.0.0.1:{server.port}/ws", request))
        await server.stop()
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="", engine=engine)
    url = f"ws://127.0.0.1:{server.port}/ws"
    assert (await answer(url, head(usual())))[0] == 101
    later = [await answer(url, request) for request in requests]
    await server.stop()
    differ = [(one, two, request) for one, two, request in zip(fresh, later, requests, strict=True) if one != two]
    assert differ == []
    assert {status for status, _ in later} >= {101, 400, 403, 404, 426, 431}


@pytest.mark.parametrize("cookies", [["a=" + "x" * 16_384], ["a=" + "x" * 6000] * 5])
async def test_a_head_of_16_kib_or_more_is_431_and_logged(
    engine: str, cookies: list[str], app: App, serve: Serve, peers: Open, caplog: pytest.LogCaptureFixture
) -> None:
    url = await serve(app, engine=engine)
    lines = [*usual(), *(f"Cookie: {cookie}" for cookie in cookies)]
    with caplog.at_level(logging.WARNING):
        assert (await answer(url, head(lines)))[0] == 431
        await peers(url, hello={})
        assert (await answer(url, head(lines)))[0] == 431
    assert len([record for record in caplog.records if "its head (cookies?)" in record.message]) == 2


async def test_a_head_just_below_16_kib_is_accepted(engine: str, app: App, serve: Serve) -> None:
    url = await serve(app, engine=engine)
    lines = [*usual(), "Cookie: "]
    lines[-1] += "c" * (16_383 - len(head(lines)))
    assert len(head(lines)) == 16_383
    assert (await answer(url, head(lines)))[0] == 101
    assert (await answer(url, head(lines)))[0] == 101


async def test_the_head_of_a_later_request_on_a_connection_is_bounded_too(app: App, serve: Serve) -> None:
    url = await serve(app)
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /nothing HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    got = await reader.readuntil(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in got.splitlines() if line.lower().startswith(b"content-length"))
    await reader.readexactly(size)
    writer.write(b"GET /nothing HTTP/1.1\r\n")
    status = b""
    try:
        for number in range(2000):
            writer.write(f"X-{number}: {'x' * 100}\r\n".encode())
            await asyncio.sleep(0)
        status = await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        pass
    assert status == b"" or b" 431 " in status
    writer.transport.abort()
