from __future__ import annotations

import contextlib
import importlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.peers import Peer
from wslink import App, Server

Serve = Callable[..., Awaitable[str]]
Open = Callable[..., Awaitable[Peer]]


def pytest_configure(config: pytest.Config) -> None:
    # Its plugin imports it at the end of a run, if no test has. Where the garbage collector runs meanwhile, Python 3.11
    # may fail to parse it ("AST constructor recursion depth mismatch"), and pytest with it.
    with contextlib.suppress(ImportError):
        importlib.import_module("hypothesis")
    if sys.version_info < (3, 11):  # its asyncio does not close what TLS through a proxy was made of
        ignored = "ignore:Exception ignored in. <function _SSLProtocolTransport.__del__"
        config.addinivalue_line("filterwarnings", f"{ignored}:pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def wslink_log_levels() -> Iterator[None]:
    """What a server in debug mode sets, the next test does not find."""
    names = ("wslink", "wslink.protocol")
    before = [logging.getLogger(name).level for name in names]
    yield
    for name, level in zip(names, before, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.fixture
async def servers() -> AsyncIterator[list[Server]]:
    started: list[Server] = []
    yield started
    for server in started:
        await server.stop()


@pytest.fixture
async def serve(servers: list[Server]) -> Serve:
    """Serve an App on a free port; the URL of its WebSocket."""

    async def start(app: App, **settings: Any) -> str:
        server = await app.serve(
            **{"port": 0, "host": "127.0.0.1", "handle_signals": False, "ready_msg": "", **settings}
        )
        servers.append(server)
        return f"ws://127.0.0.1:{server.port}/ws"

    return start


@pytest.fixture
async def peers() -> AsyncIterator[Open]:
    """Open raw peers that are closed at the end."""
    opened: list[Peer] = []

    async def connect(url: str, generation: int = 2, *, hello: dict[str, Any] | None = None, **options: Any) -> Peer:
        peer = await Peer.open(url, generation, **options)
        opened.append(peer)
        if hello is not None:
            answer = await peer.hello(**hello)
            assert "result" in answer, answer
        return peer

    yield connect
    for peer in opened:
        await peer.close()


@pytest.fixture
def app() -> App:
    return App(secret="secret")
