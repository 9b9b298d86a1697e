"""Responses that nobody reads do not keep others out (LIM-11)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Serve
from wslink import App, Limits
from wslink.http import serving, site, unread

OTHERS = 6
_opened: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def ask(url: str, path: str, room: int) -> socket.socket:
    """Send a request whose response does not fit into the connection."""
    host, port = url.split("/")[2].split(":")
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    sock.connect((host, int(port)))
    _opened.append(sock)
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    return sock


@pytest.fixture
def crowded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> App:
    """An application with room for few, and a large file."""
    monkeypatch.setattr(site, "MAX_OTHERS", OTHERS)
    monkeypatch.setattr(serving, "SHUTDOWN_TIMEOUT", 0.1)
    monkeypatch.setattr(unread, "STALLED", 0.3)
    monkeypatch.setattr(unread, "LOOK_EVERY", 0.05)
    (tmp_path / "large.bin").write_bytes(bytes(8 << 20))
    (tmp_path / "index.html").write_text("page")
    return App(secret="s", limits=Limits(max_clients=2))


async def comes_in(url: str, seconds: float) -> bool:
    """Whether anybody is answered in that time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        with contextlib.closing(ask(url, "/", 65536)) as sock, contextlib.suppress(OSError, asyncio.TimeoutError):
            sock.setblocking(False)
            if b" 200 " in await asyncio.wait_for(loop.sock_recv(sock, 4096), 1):
                return True
        await asyncio.sleep(0.05)
    return False


async def test_responses_that_are_not_read_make_room(crowded: App, serve: Serve, tmp_path: Path) -> None:
    url = await serve(crowded, content=str(tmp_path))
    for _ in range(OTHERS + 2):
        ask(url, "/large.bin", 4096)
    await asyncio.sleep(0.2)
    assert not await comes_in(url, 0.05), "all places are taken"
    assert await comes_in(url, 3)


async def test_a_response_that_is_read_slowly_is_read_to_its_end(crowded: App, serve: Serve, tmp_path: Path) -> None:
    url = await serve(crowded, content=str(tmp_path))
    slow = ask(url, "/large.bin", 65536)
    slow.setblocking(False)
    for _ in range(OTHERS + 1):
        ask(url, "/large.bin", 4096)
    loop, size = asyncio.get_running_loop(), 0
    others = asyncio.ensure_future(comes_in(url, 3))
    while size < 8 << 20:
        data = await asyncio.wait_for(loop.sock_recv(slow, 1 << 16), 3)
        assert data, f"ended after {size} bytes"
        size += len(data)
        await asyncio.sleep(0.01)
    assert await others
