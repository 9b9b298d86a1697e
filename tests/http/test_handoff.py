"""Connections that are handed over to a server: what it serves, and what it does not take."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.launcher.support import descriptors
from tests.transport.raw import to_the_end
from tests.waiting import until
from wslink import App
from wslink.http import handoff
from wslink.proxy import fd_passing
from wslink.proxy.fd_passing import Usage

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: session\r\nX-Forwarded-For: 192.0.2.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
PLAIN = b"GET /wslink/client.js HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    made = tempfile.mkdtemp()  # pytest's own are too deep for a Unix socket
    monkeypatch.setenv("WSLINK_HANDOFF", made)
    yield made
    shutil.rmtree(made)


class Giver:
    """Accepts connections, as a launcher does, and hands them over."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.counts: list[int] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, socket.socket]:
        """A client's two ends, and the end that is to be handed over."""
        dialled = asyncio.open_connection("127.0.0.1", self.listener.getsockname()[1])
        (reader, writer), (accepted, _) = await asyncio.gather(
            dialled, asyncio.get_running_loop().sock_accept(self.listener)
        )
        self.writers.append(writer)
        return reader, writer, accepted

    async def link(self) -> socket.socket:
        control = fd_passing.dial(self.path)
        await asyncio.get_running_loop().create_unix_connection(lambda: Usage(self.counts.append), sock=control)
        return control

    async def give(self, head: str, early: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client whose connection has been handed over; `early` is what it had sent by then."""
        reader, writer, accepted = await self.connect()
        writer.write(early)
        await writer.drain()
        fd_passing.give(await self.link(), head.encode(), accepted.fileno())
        accepted.close()
        return reader, writer

    async def close(self) -> None:
        self.listener.close()
        for writer in self.writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.fixture(params=["picows", "aiohttp"])
async def giver(request: pytest.FixtureRequest, directory: str, app: App, serve: Serve) -> AsyncIterator[Giver]:
    """Hands over to a server of each engine."""
    url = await serve(app, engine=request.param)
    one = Giver(fd_passing.handoff_path(directory, int(url.split(":")[2].split("/")[0])))
    yield one
    await one.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)


async def works(giver: Giver) -> None:
    reader, _ = await giver.give(UPGRADE.format(path="/ws"))
    assert (await head_of(reader)).startswith(b"HTTP/1.1 101 ")


async def test_a_connection_is_served_and_counted(giver: Giver) -> None:
    await works(giver)
    await until(lambda: giver.counts == [1])
    giver.writers[0].close()
    await until(lambda: giver.counts == [1, -1])


async def test_a_refusal_is_the_last_answer(giver: Giver) -> None:
    """A second request would not have passed the giver, which checks it and tells where it comes from."""
    foreign = UPGRADE.replace("Host:", "Origin: https://evil.example\r\nHost:")
    await works(giver)  # the server may have a shorter way for a path that it knows
    for head, path, status in (
        (UPGRADE, "/nowhere", b" 404 "),
        (UPGRADE, "/wslink/client.js", b" 200 "),
        (foreign, "/ws", b" 403 "),
        (UPGRADE.replace("-Key", "-Kee"), "/ws", b" 426 "),
    ):
        reader, writer = await giver.give(head.format(path=path))
        first = await head_of(reader)
        assert status in first.split(b"\r\n")[0]
        writer.write(PLAIN * 2)
        assert b"HTTP/1.1 " not in await to_the_end(reader)


async def test_what_a_client_sends_early_is_no_request(giver: Giver) -> None:
    reader, _ = await giver.give(UPGRADE.format(path="/nowhere"), early=PLAIN)
    answer = await to_the_end(reader)
    assert b"200 OK" not in answer
    assert answer.count(b"HTTP/1.1 ") <= 1


async def test_who_comes_later_counts_what_is_there(giver: Giver) -> None:
    for _ in range(3):
        await works(giver)
    counts: list[int] = []
    control = fd_passing.dial(giver.path)
    await asyncio.get_running_loop().create_unix_connection(lambda: Usage(counts.append), sock=control)
    control.shutdown(socket.SHUT_WR)
    await until(lambda: sum(counts) == 3)
    for left, writer in ((2, giver.writers[1]), (1, giver.writers[0]), (0, giver.writers[2])):
        writer.close()
        await until(lambda left=left: sum(counts) == left)


async def test_garbage_is_dropped(giver: Giver, directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handoff, "TIMEOUT", 0.3)
    await works(giver)
    gc.collect()
    before = descriptors()
    whole = UPGRADE.format(path="/ws").encode()
    _, _, client = await giver.connect()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, open(Path(directory) / "file", "w") as file:
        for data, *sent in (
            (whole,),  # no connection
            (whole[:-1], client),  # half a head
            (b"x", client),
            (whole, client, client),
            (whole, datagrams),
            (whole, file),
            (b"x" * (fd_passing.MAX_HEAD + 1), client),
        ):
            await _is_dropped(giver.path, data, *sent)
        await _is_dropped(giver.path, whole, client, finish=False)  # and then nothing
    client.close()
    giver.writers[-1].close()
    await until(lambda: descriptors() <= before)
    await works(giver)


async def _is_dropped(path: str, data: bytes, *sent: Any, finish: bool = True) -> None:
    """Send `data` with descriptors, each of which comes with a byte of it."""
    loop = asyncio.get_running_loop()
    with fd_passing.dial(path) as control:
        with contextlib.suppress(BrokenPipeError):  # it may have had enough before all was sent
            for index, one in enumerate(sent):
                socket.send_fds(control, [data[index : index + 1]], [one.fileno()])
            await loop.sock_sendall(control, data[len(sent) :])
            if finish:
                control.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert await asyncio.wait_for(loop.sock_recv(control, 1), 5) == b""


async def test_a_head_that_is_too_large_is_not_given(giver: Giver) -> None:
    _, _, client = await giver.connect()
    with client, fd_passing.dial(giver.path) as control, pytest.raises(OSError, match="at most 65536"):
        fd_passing.give(control, b"x" * 65537, client.fileno())


async def test_a_flood_is_bounded(giver: Giver) -> None:
    """Beyond those that are waited for and those in the backlog, nobody gets in; the others time out."""
    held: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while True:
            held.append(fd_passing.dial(giver.path))
            await asyncio.sleep(0)
            assert len(held) < 4 * handoff.MAX_PENDING
    for one in held:
        one.close()
    await until(lambda: _can_be_dialled(giver.path))
    await works(giver)


def _can_be_dialled(path: str) -> bool:
    try:
        fd_passing.dial(path).close()
    except BlockingIOError:
        return False
    return True


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed")
async def test_another_user_is_refused(giver: Giver, directory: str) -> None:
    await works(giver)
    os.chmod(directory, 0o755)
    os.chmod(giver.path, 0o666)
    script = f"import os, socket; os.setuid(65534); s = socket.socket(socket.AF_UNIX); s.connect({giver.path!r}); "
    script += "s.shutdown(1); print(s.recv(1))"  # it asks what is held
    process = await asyncio.create_subprocess_exec("python3", "-c", script, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 10)
    assert output == b"b''\n"
    # Nor is anything given to another user who took the place.
    assert Path(giver.path).exists()
    script = f"import os, socket; os.chmod({directory!r}, 0o777); os.unlink({giver.path!r}); os.setuid(65534); "
    script += f"s = socket.socket(socket.AF_UNIX); s.bind({giver.path!r}); s.listen(); print(flush=True); s.accept()"
    process = await asyncio.create_subprocess_exec("python3", "-c", script, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 10)
    with pytest.raises(PermissionError):
        fd_passing.dial(giver.path)
    await asyncio.wait_for(process.communicate(), 10)


async def test_only_its_owner_may_open_it(giver: Giver) -> None:
    assert Path(giver.path).stat().st_mode & 0o077 == 0


async def test_it_ends_with_its_server(app: App, directory: str) -> None:
    server = await app.serve(port=0, host="127.0.0.1", handle_signals=False, ready_msg="")
    giver = Giver(fd_passing.handoff_path(directory, server.port))
    await works(giver)
    await server.stop()
    assert os.listdir(directory) == []
    await until(lambda: sum(giver.counts) == 0)
    with pytest.raises(FileNotFoundError):
        fd_passing.dial(giver.path)
    await giver.close()


async def test_a_place_that_an_earlier_server_left_is_taken(app: App, directory: str, serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    left = socket.socket(socket.AF_UNIX)
    left.bind(fd_passing.handoff_path(directory, port))
    left.close()
    await serve(app, port=port)
    giver = Giver(fd_passing.handoff_path(directory, port))
    await works(giver)
    await giver.close()


@pytest.mark.parametrize("name", ["missing", "x" * 200])
async def test_a_server_without_a_place_serves_all_the_same(
    app: App, directory: str, serve: Serve, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("WSLINK_HANDOFF", f"{directory}/{name}")
    assert await serve(app)
