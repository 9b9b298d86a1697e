"""What peers that know nothing can do to a launcher: others go on being answered, and it does not grow."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from tests.launcher.support import APPS, Client, LauncherProcess

LONGEST_WAIT = 0.2
"""Seconds that a well-behaved client may wait for an answer meanwhile."""
GROWTH = 32 * 2**20
"""Bytes by which the launcher may grow."""
SECONDS = 1.5

Attack = Callable[[str, int, float], Awaitable[None]]


async def send(host: str, port: int, data: bytes, end: float) -> None:
    """Send the same, again and again, over connections that are made again when they are closed; read nothing."""
    while time.monotonic() < end:
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            _, writer = await asyncio.open_connection(host, port)
            try:
                while time.monotonic() < end:
                    writer.write(data)
                    await asyncio.wait_for(writer.drain(), 0.2)
                    await asyncio.sleep(0.001)
            finally:
                writer.transport.abort()
        await asyncio.sleep(0.005)


def flood(data: bytes, connections: int = 8) -> Attack:
    async def attack(host: str, port: int, end: float) -> None:
        await asyncio.gather(*(send(host, port, data, end) for _ in range(connections)))

    return attack


async def trickle(host: str, port: int, end: float) -> None:
    """Many requests whose bodies come byte by byte."""
    writers = []
    for _ in range(100):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.write(b"POST /paraview/ HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{")
            writers.append(writer)
    while time.monotonic() < end:
        for writer in writers:
            writer.write(b" ")
        await asyncio.sleep(0.1)
    for writer in writers:
        writer.transport.abort()


async def silent(host: str, port: int, end: float) -> None:
    """Connections that say nothing, or never end their head."""
    writers = []
    for number in itertools.count():
        if time.monotonic() > end or number == 400:
            break
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            _, writer = await asyncio.wait_for(asyncio.open_connection(host, port), 1)
            writer.write(b"GET / HTTP/1.1\r\nX: " + b"y" * 4000 if number % 2 else b"")
            writers.append(writer)
    await asyncio.sleep(max(0.0, end - time.monotonic()))
    for writer in writers:
        writer.transport.abort()


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


COLLIDING = json.dumps({"application": "x", **{str(n): n for n in range(5000)}}).encode()
ATTACKS: dict[str, Attack] = {
    "requests": flood(request("GET", "/health") * 100),
    "guesses": flood(request("GET", "/paraview/", b"", "Authorization: Bearer wrong") * 100),
    "bodies": flood(request("POST", "/paraview/", COLLIDING)),
    "nesting": flood(request("POST", "/paraview/", b"[" * 60_000)),
    "tokens": flood(request("GET", f"/paraview/session/x/{'y' * 32}/") * 100),
    "heads": flood(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000),
    "cookies": flood(request("GET", "/paraview/session/x/y/z", b"", f"Cookie: {'a=b; ' * 1500}") * 10),
    "garbage": flood(bytes(range(256)) * 40),
    "trickle": trickle,
    "silent": silent,
}


@pytest.fixture
async def launcher(tmp_path: Path) -> AsyncIterator[tuple[LauncherProcess, Client]]:
    (tmp_path / "token").write_text("0123456789abcdef")
    process = LauncherProcess(tmp_path, apps={"good": APPS["good"]}, admin_token_file=str(tmp_path / "token"))
    client = await process.start(stderr=asyncio.subprocess.PIPE)
    yield process, client
    await client.http.close()
    process.process.terminate()
    _, errors = await process.process.communicate()
    assert errors == b""
    assert (tmp_path / "log" / "launcherLog.log").stat().st_size < 2**16


@pytest.mark.parametrize("name", list(ATTACKS))
async def test_others_are_answered_meanwhile(launcher: tuple[LauncherProcess, Client], name: str) -> None:
    process, client = launcher
    session = await client.start("good")
    measured = psutil.Process(process.process.pid)
    before = measured.memory_info().rss
    for _ in range(3):  # the machine may be busy with something else
        longest = await longest_wait(client, session["id"], ATTACKS[name])
        if longest < LONGEST_WAIT:
            break
    assert longest < LONGEST_WAIT
    assert measured.memory_info().rss - before < GROWTH


async def longest_wait(client: Client, session_id: str, attack: Attack) -> float:
    """The longest time that a client waits for an answer during an attack."""
    host, port = client.url.removeprefix("http://").split(":")
    end, longest = time.monotonic() + SECONDS, 0.0
    attacking = asyncio.create_task(attack(host, int(port), end))
    while time.monotonic() < end:
        began, own = time.monotonic(), time.process_time()
        assert (await client.ask("GET", session_id))[0] == 200
        # What this process did meanwhile, the attack, is no wait.
        longest = max(longest, time.monotonic() - began - (time.process_time() - own))
        await asyncio.sleep(0.02)
    await attacking
    return longest
