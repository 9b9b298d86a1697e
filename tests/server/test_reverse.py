"""Servers that dial a relay instead of listening, and come back to it by themselves."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

import wslink
from tests.lines import Line
from tests.ports import free_port
from wslink import App
from wslink.errors import AuthenticationError, UsageError
from wslink.relay import member
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.server import add_arguments, start_webserver, stop_webserver
from wslink.websocket import ServerProtocol

TOKEN = "a-token-of-the-process"


class Place:
    """A relay on a port of its own that can be stopped and started."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.token_file = directory / "process.token"
        self.token_file.write_text(TOKEN)
        self.url = f"ws://127.0.0.1:{self.port}/meet/one"

    async def start(self) -> None:
        options = Options(mode="relay", proxy_route="/meet/{id}", process_token_file=str(self.token_file))
        self.runner = web.AppRunner(Relay(options).application(), access_log=None, shutdown_timeout=0.2)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        await self.runner.cleanup()

    def connect(self, secret: str) -> wslink.client.connect.Connecting:
        return wslink.connect(self.url, secret=secret)


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Place]:
    place = Place(tmp_path)
    await place.start()
    yield place
    await place.stop()


@pytest.fixture
def app() -> App:
    app = App()

    @app.method("test.double")
    def double(value: int) -> int:
        return 2 * value

    return app


def dialing(app: App, relay: Place, **settings: object) -> object:
    chosen = {"reverse_token_file": str(relay.token_file), "handle_signals": False, "ready_msg": "", **settings}
    return app.serve(reverse_url=relay.url, **chosen)


async def test_one_client_after_another(app: App, relay: Place) -> None:
    async with await dialing(app, relay) as server:
        assert server.port == 0
        for number in range(3):
            async with relay.connect(app.secret) as link:
                assert await link.call("test.double", number) == 2 * number
                assert len(app.clients) == 1


async def test_clients_that_come_and_go_find_it_at_once(app: App, relay: Place) -> None:
    """Each that leaves ends a connection of the process, which is no reason to wait longer for the next."""
    async with await dialing(app, relay):
        for _ in range(7):  # after as many waits that double it stays away for 3 s
            began = time.monotonic()
            async with relay.connect(app.secret):
                took = time.monotonic() - began
        assert took < 1.5


async def test_a_client_whose_line_fell_silent_returns_to_its_session(
    app: App, relay: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RES-6: the relay is not told of the end, and the next ping of the process is half a minute away."""
    monkeypatch.setattr(member, "PROBE", 0.3)
    line = await Line.to(relay.url)
    reconnect = wslink.Reconnect(initial=0.02, max=0.1)
    async with (
        await dialing(app, relay),
        await wslink.connect(line.url, secret=app.secret, reconnect=reconnect) as link,
    ):
        returned = asyncio.get_running_loop().create_future()
        link.on_reconnected(returned.set_result)
        line.cut("half")
        assert await asyncio.wait_for(link.call("test.double", 4), 5) == 8
        assert (await returned).resumed
    await line.close()


async def test_it_comes_less_and_less_often_where_nobody_does(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relay that takes a connection and ends it, over and over again."""
    came = []

    async def dismiss(request: web.Request) -> web.WebSocketResponse:
        came.append(time.monotonic())
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        return socket

    application = web.Application()
    application.router.add_get("/meet", dismiss)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    monkeypatch.setattr("wslink.http.reverse.PAUSE", 0.02)
    url = f"ws://127.0.0.1:{port}/meet"
    async with await app.serve(reverse_url=url, handle_signals=False, ready_msg=""):
        await asyncio.sleep(0.8)
    await runner.cleanup()
    assert 3 <= len(came) <= 8


async def test_every_client_needs_the_secret(app: App, relay: Place) -> None:
    async with await dialing(app, relay):
        async with relay.connect(app.secret):
            pass
        for wrong in ("wrong", None):
            with pytest.raises(AuthenticationError):
                async with relay.connect(wrong):
                    pass


async def test_it_comes_back_when_the_relay_does(app: App, relay: Place) -> None:
    async with await dialing(app, relay):
        await relay.stop()
        await asyncio.sleep(0.5)  # some attempts fail
        await relay.start()
        async with relay.connect(app.secret) as link:
            assert await link.call("test.double", 2) == 4


async def test_a_new_token_is_read(app: App, relay: Place) -> None:
    async with await dialing(app, relay):
        await relay.stop()
        relay.token_file.write_text("another-token-of-the-process")
        await relay.start()
        async with relay.connect(app.secret) as link:
            assert await link.call("test.double", 2) == 4


async def test_a_wrong_token(app: App, relay: Place, tmp_path: Path) -> None:
    (wrong := tmp_path / "wrong").write_text("a-token-of-nobody-at-all")
    # Without its token it would be a client, whom nobody meets.
    relay_wants_both = Options(mode="relay", client_token_file=str(relay.token_file), process_token_file=str(wrong))
    runner = web.AppRunner(Relay(relay_wants_both).application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port := free_port()).start()
    (tmp_path / "other").write_text("a-token-of-somebody-else")
    with pytest.raises(OSError, match=r"^reverse_url: the relay answers 401$"):
        await app.serve(
            reverse_url=f"ws://127.0.0.1:{port}/proxy/1", reverse_token_file=str(tmp_path / "other"), ready_msg=""
        )
    await runner.cleanup()


async def test_nobody_there(app: App) -> None:
    with pytest.raises(OSError, match=r"^reverse_url: 127\.0\.0\.1:\d+: "):
        await app.serve(reverse_url=f"ws://127.0.0.1:{free_port()}/meet/an-id")


@pytest.mark.parametrize("url", ["nonsense", "ws://"])
async def test_no_address(app: App, url: str) -> None:
    with pytest.raises(UsageError, match="reverse_url is not an address"):
        await app.serve(reverse_url=url)


async def test_a_token_file_that_is_missing(app: App, relay: Place) -> None:
    with pytest.raises(UsageError, match=r"reverse_token_file: .*nowhere"):
        await dialing(app, relay, reverse_token_file="nowhere")


async def test_it_stops_when_nobody_comes(app: App, relay: Place) -> None:
    server = await dialing(app, relay, timeout=0.5)
    async with relay.connect(app.secret) as link:
        await asyncio.sleep(1)
        assert await link.call("test.double", 2) == 4
    await asyncio.wait_for(server.wait_closed(), 10)


async def test_it_stops_while_the_relay_is_away(app: App, relay: Place) -> None:
    server = await dialing(app, relay)
    await relay.stop()
    await asyncio.wait_for(server.stop(), 10)
    await relay.start()


class TestReleasedApi:
    """`start_webserver` with `--reverse-url`, as applications of the released API do."""

    @pytest.fixture
    def environment(self, relay: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSLINK_REVERSE_TOKEN_FILE", str(relay.token_file))
        monkeypatch.setenv("WSLINK_READY_MSG", "")

    def start(self, *arguments: str) -> asyncio.Task[None]:
        options = add_arguments(argparse.ArgumentParser()).parse_args(arguments)
        return start_webserver(options, ServerProtocol, disableLogging=True, exec_mode="task")

    async def test_it_comes_back(self, relay: Place, environment: None) -> None:
        serving = self.start("--reverse-url", relay.url, "--authKey", "a secret")
        for _ in range(2):
            async with relay.connect("a secret"):
                pass
        await relay.stop()
        await relay.start()
        async with relay.connect("a secret"):
            pass
        stop = stop_webserver()
        assert stop is not None
        await asyncio.wait_for(asyncio.gather(stop, serving), 10)

    async def test_the_address_can_be_in_the_environment(
        self, relay: Place, environment: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WSLINK_REVERSE_URL", relay.url)
        serving = self.start("--authKey", "a secret", "--timeout", "1")
        async with relay.connect("a secret"):
            pass
        # It ends a second after its last client has left.
        await asyncio.wait_for(serving, 15)
