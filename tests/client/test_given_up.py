"""Connecting that is given up, at any moment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

import wslink
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, ConnectionClosed, Reconnect


@pytest.mark.parametrize("kind", ["inside", "socket"])
async def test_a_cancelled_connect_never_returns_a_link_and_leaves_no_client(serve: Serve, kind: str) -> None:
    """Also where the cancellation comes together with the server's welcome."""
    app = App(secret="secret")
    url = await serve(app)

    async def connect() -> wslink.Link:
        return await (app.connect() if kind == "inside" else wslink.connect(url, secret="secret"))

    links = 0
    for turns in range(120):
        task = asyncio.ensure_future(connect())
        for _ in range(turns):
            await asyncio.sleep(0)
        if task.cancel():
            await asyncio.wait({task})
            assert task.cancelled(), f"after {turns} turns of the event loop"
        else:
            links += 1
            await task.result().close()
            if links == 3:
                break
    assert links > 0 or kind == "socket"
    await until(lambda: not app.clients)


class Deaf:
    """A line to a server that, while it is `deaf`, gives its client the head of the handshake and nothing more."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self.deaf = True
        self.writers: list[asyncio.StreamWriter] = []
        self.server: asyncio.Server

    @property
    def url(self) -> str:
        port = self.server.sockets[0].getsockname()[1]
        return self._parts._replace(netloc=f"127.0.0.1:{port}").geturl()

    async def accept(self, near: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far, far_writer = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        self.writers += (writer, far_writer)
        await asyncio.gather(_pump(near, far_writer), self._answer(far, writer), return_exceptions=True)

    async def _answer(self, far: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.deaf:
            writer.write(await far.readuntil(b"\r\n\r\n"))
            await far.read(-1)
        else:
            await _pump(far, writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def deaf(url: str) -> AsyncIterator[Deaf]:
    line = Deaf(url)
    line.server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    yield line
    line.server.close()
    for writer in line.writers:
        writer.close()


@pytest.mark.parametrize("how", ["timeout", "cancelled"])
async def test_a_connect_whose_welcome_does_not_come_leaves_no_client(serve: Serve, how: str) -> None:
    app = App(secret="secret")
    async with deaf(await serve(app)) as line:
        connecting = asyncio.ensure_future(_connect(line.url, 0.2 if how == "timeout" else 10))
        await until(lambda: bool(app.clients))
        if how == "cancelled":
            connecting.cancel()
        with pytest.raises(ConnectionClosed if how == "timeout" else asyncio.CancelledError):
            await connecting
        await until(lambda: not app.clients)


async def _connect(url: str, timeout: float) -> wslink.Link:
    return await wslink.connect(url, secret="secret", timeout=timeout)


async def test_a_link_that_gives_up_while_it_returns_leaves_no_client(serve: Serve) -> None:
    app = App(secret="secret")
    async with deaf(await serve(app)) as line:
        line.deaf = False
        link = await wslink.connect(line.url, secret="secret", reconnect=Reconnect(0.01, 0.02, give_up_after=0.3))
        returned = app.on_resume(lambda client: back.append(client))
        back = list[object]()
        line.deaf = True
        for writer in line.writers:
            writer.close()
        await until(lambda: link.state == "closed")
        assert returned
        assert back
        await until(lambda: not app.clients)


async def test_a_program_that_ends_without_a_word_leaves_no_client(serve: Serve) -> None:
    """Its event loop cancels what still runs."""
    app = App(secret="secret")
    url = await serve(app)
    links = list[wslink.Link]()

    async def program() -> None:
        links.append(await wslink.connect(url, secret="secret"))

    await asyncio.to_thread(asyncio.run, program())
    assert links
    await until(lambda: not app.clients)
