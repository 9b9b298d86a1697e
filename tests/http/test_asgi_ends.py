"""What an ASGI connection is made of ends with it, however it ends."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.asgi_server import under_uvicorn
from tests.conftest import Open
from tests.peers import Peer
from tests.waiting import until
from wslink import App, Limits

HELLO = {"secret": "secret"}
End = Callable[[App, Peer], Awaitable[None]]


def left() -> list[str]:
    """The tasks of connections."""
    tasks = [task.get_coro().__qualname__ for task in asyncio.all_tasks()]  # type: ignore[union-attr]
    return [name for name in tasks if name.startswith(("Writer.", "AsgiSocket.", "AsgiApplication."))]


def reset(peer: Peer) -> None:
    transport: Any = peer.socket._response.connection.transport  # type: ignore[union-attr]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def is_reset(app: App, peer: Peer) -> None:
    reset(peer)


async def is_reset_while_it_reads_nothing(app: App, peer: Peer) -> None:
    peer.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    for _ in range(8):
        await peer.start("test.big")
    await asyncio.sleep(0.1)
    reset(peer)


async def is_reset_within_a_call(app: App, peer: Peer) -> None:
    await peer.start("test.never")
    await asyncio.sleep(0.05)
    reset(peer)


async def closes(app: App, peer: Peer) -> None:
    await peer.close()


async def is_disconnected(app: App, peer: Peer) -> None:
    (client,) = app.clients.values()
    client.disconnect()
    await peer.closed()


async def sends_too_much(app: App, peer: Peer) -> None:
    await peer.socket.send_bytes(bytes(100_000))
    await peer.closed()


async def is_silent(app: App, peer: Peer) -> None:
    """It has not said hello."""
    await peer.closed()


async def is_served_too_long(app: App, peer: Peer) -> None:
    """What stands around the application gives up on it."""
    await peer.start("test.give_up")
    await peer.closed()


@pytest.mark.parametrize(
    "end",
    [closes, is_reset, is_reset_while_it_reads_nothing, is_reset_within_a_call, is_disconnected, sends_too_much,
     is_silent, is_served_too_long],
)  # fmt: skip
async def test_a_connection_leaves_nothing_behind(end: End, peers: Open, caplog: pytest.LogCaptureFixture) -> None:
    app = App(secret="secret", limits=Limits(max_msg_size=50_000, hello_timeout=0.3))
    gives_up = asyncio.Event()
    app.method("test.big")(lambda: bytes(2 << 20))
    app.method("test.give_up")(gives_up.set)

    @app.method("test.never")
    async def never() -> None:
        await asyncio.Event().wait()

    inner = app.asgi()

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        serving = asyncio.ensure_future(inner(scope, receive, send))
        waiting = asyncio.ensure_future(gives_up.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (serving, waiting):
            task.cancel()
        await asyncio.wait({serving, waiting})

    async with under_uvicorn(middleware) as port:
        peer = await peers(f"ws://127.0.0.1:{port}/ws", hello=None if end is is_silent else HELLO)
        assert left()
        await end(app, peer)
        await until(lambda: not left(), 5)
    assert not app.clients
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_the_end_of_the_server_is_that_of_all(app: App, peers: Open) -> None:
    app.method("test.big")(lambda: bytes(2 << 20))
    async with under_uvicorn(app.asgi(), "on", timeout_graceful_shutdown=1) as port:
        quiet, stalled = [await peers(f"ws://127.0.0.1:{port}/ws", hello=HELLO) for _ in range(2)]
        await peers(f"ws://127.0.0.1:{port}/ws")
        stalled.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
        for _ in range(8):
            await stalled.start("test.big")
        assert left()
    await until(lambda: not left(), 8)
    reset(stalled)
    assert (await quiet.closed())[0] in (1001, 1012, 1006)
