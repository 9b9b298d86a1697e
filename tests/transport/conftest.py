from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.transport.large import PIECE
from tests.transport.raw import TEXT, RawSocket
from wslink import App
from wslink.transport.base import ENGINES
from wslink.transport.picows import reading

HELLO = json.dumps(
    {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": "secret"}]}
).encode()

Connect = Callable[..., Awaitable[RawSocket]]


@pytest.fixture(params=list(ENGINES))
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["the first connection", "a later one"])
async def sockets(request: pytest.FixtureRequest) -> AsyncIterator[Connect]:
    """Open raw sockets that have said hello in the first generation, and are dropped at the end.

    aiohttp routes a server's first connection, and may leave later ones to the engine.
    """
    opened: list[RawSocket] = []

    async def connect(url: str, hello: bool = True, **options: Any) -> RawSocket:
        if request.param == "a later one" and not opened:
            (await RawSocket.open(url, **options)).close()
        socket = await RawSocket.open(url, **options)
        opened.append(socket)
        if hello:
            socket.send(TEXT, HELLO)
            assert b'"clientID"' in (await socket.receive()).payload
        return socket

    yield connect
    for socket in opened:
        socket.close()


@pytest.fixture
def echo(app: App) -> App:
    @app.method("echo")
    def echo(value: Any) -> Any:
        return value

    return app


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames are large, and read in pieces, from 64 KiB on."""
    for name in ("PIECE", "MAX_READ"):
        monkeypatch.setattr(reading, name, PIECE)
