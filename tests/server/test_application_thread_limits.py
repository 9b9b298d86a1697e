"""Where an application has no thread of its own, it is told; what waits for one that has is bounded."""

from __future__ import annotations

import logging

import aiohttp
import pytest

import wslink
from tests.server.running import HELLO, Blocker, Running
from wslink import App, Limits, UsageError
from wslink.backends.generic import GenericServer
from wslink.websocket import ServerProtocol

MOST = 20


def _warnings(caplog: pytest.LogCaptureFixture) -> str:
    return " ".join(record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)


async def test_a_backend_without_a_port_says_that_it_cannot_follow_the_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WSLINK_APPLICATION_THREAD", "1")
    GenericServer({"ws": {"ws": ServerProtocol()}})
    assert "GenericServer" in _warnings(caplog)
    assert "wslink serve" in _warnings(caplog)


async def test_tornado_says_that_it_cannot_follow_the_setting(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("tornado")
    from wslink.compat.tornado import TornadoServer

    monkeypatch.setenv("WSLINK_APPLICATION_THREAD", "1")
    server = TornadoServer({"ws": {"ws": ServerProtocol()}, "host": "127.0.0.1", "port": 0})  # listens from now on
    await server.stop()
    assert "TornadoServer carries clients" in _warnings(caplog)


async def test_asgi_refuses_the_keyword_and_warns_of_the_variable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UsageError, match=r"App\.asgi carries clients .* App\.run"):
        App().asgi(application_thread=True)  # type: ignore[call-arg]
    App().asgi()
    assert not _warnings(caplog)
    monkeypatch.setenv("WSLINK_APPLICATION_THREAD", "1")
    App().asgi()
    assert "App.asgi carries clients" in _warnings(caplog)


async def test_no_further_connections_are_taken_while_too_much_waits_for_the_application() -> None:
    """LIM-10."""
    app = App(secret="secret", limits=Limits(max_mailbox=MOST))
    blocker = Blocker(app)

    @app.on_connect
    def connected(client_id: str) -> None: ...

    @app.method("test.loop", run="loop")
    def answer() -> str:
        return "answered"

    with Running(app) as running:
        taken = 0
        async with wslink.connect(running.url, secret="secret") as link, aiohttp.ClientSession() as http:
            async with blocker.blocked(link):
                with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
                    for _ in range(MOST + 5):
                        async with http.ws_connect(running.url) as socket:
                            hello = {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [HELLO]}
                            await socket.send_json(hello)
                            await socket.receive()
                        taken += 1
                assert await link.call("test.loop") == "answered"
            async with wslink.connect(running.url, secret="secret") as another:
                assert another.state == "open"
    assert 5 <= taken <= MOST
