"""The relay over real sockets, in both modes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import WSMsgType, web

from wslink.errors import UsageError
from wslink.relay.options import Options
from wslink.relay.service import Relay
from wslink.relay.targets import parse_rule

EVIL = "https://evil.example"
TOKEN, OTHER = "a token of the client", "a token of the process"


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


class Place:
    """Servers of this process, and a client of them."""

    def __init__(self) -> None:
        self.runners: list[web.AppRunner] = []
        self.http = aiohttp.ClientSession()

    async def serve(self, application: web.Application, port: int = 0) -> int:
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        self.runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return int(runner.addresses[0][1])

    async def relay(self, **options: Any) -> str:
        port = await self.serve(Relay(Options(**{"retry": 0.3, "wait": 0.5, **options})).application())
        return f"http://127.0.0.1:{port}"

    async def echo(self, port: int = 0) -> int:
        application = web.Application()
        application.router.add_get("/{path:.*}", _echo)
        return await self.serve(application, port)

    async def dial(self, url: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        return await self.http.ws_connect(url, max_msg_size=0, **options)

    async def close(self) -> None:
        await self.http.close()
        for runner in reversed(self.runners):
            await runner.cleanup()

    async def refused(self, url: str, **options: Any) -> int:
        """The status that a handshake is refused with."""
        headers = {**HANDSHAKE, **options.pop("headers", {})}
        async with self.http.get(url, headers=headers, **options) as response:
            return response.status


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(max_msg_size=0)
    await socket.prepare(request)
    if "tell" in request.path:
        await socket.send_str(f"{request.raw_path} {request.headers.get('Authorization')}")
    async for message in socket:
        await (socket.send_bytes if message.type is WSMsgType.BINARY else socket.send_str)(message.data)
    return socket


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    one = Place()
    yield one
    await one.close()


@pytest.fixture
def tokens(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "client").write_text(TOKEN)
    (tmp_path / "process").write_text(OTHER)
    return {"client_token_file": str(tmp_path / "client"), "process_token_file": str(tmp_path / "process")}


def bearer(token: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


class TestForward:
    async def test_many_clients_and_any_size(self, place: Place) -> None:
        target, relay = await place.echo(), await place.relay()
        sockets = [await place.dial(f"{relay}/proxy/{target}") for _ in range(3)]
        for size in (1, 125, 65536, 24 * 2**20):
            for socket in sockets:
                await socket.send_bytes(bytes(size))
                assert len(await socket.receive_bytes()) == size

    async def test_a_target_that_is_down_is_502_and_may_come(self, place: Place) -> None:
        relay, target = await place.relay(retry=0.0), await place.echo()
        await place.runners.pop().cleanup()
        for _ in range(3):
            assert await place.refused(f"{relay}/proxy/{target}") == 502
        await place.echo(target)
        await place.dial(f"{relay}/proxy/{target}")

    async def test_a_target_that_comes_late_is_met(self, place: Place) -> None:
        relay, target = await place.relay(retry=3.0), await place.echo()
        await place.runners.pop().cleanup()
        dialled = asyncio.create_task(place.dial(f"{relay}/proxy/{target}"))
        await asyncio.sleep(0.3)
        await place.echo(target)
        await dialled

    async def test_a_target_that_speaks_no_websocket(self, place: Place) -> None:
        async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-something\r\n\r\n" + bytes(100_000))
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        relay = await place.relay()
        assert await place.refused(f"{relay}/proxy/{server.sockets[0].getsockname()[1]}") == 502
        server.close()

    async def test_a_target_that_sends_an_endless_head(self, place: Place) -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 10_000)
                    await writer.drain()

        server = await asyncio.start_server(babble, "127.0.0.1", 0)
        relay = await place.relay()
        assert await place.refused(f"{relay}/proxy/{server.sockets[0].getsockname()[1]}") == 502
        server.close()

    @pytest.mark.parametrize(
        "host", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "3221225985"]
    )
    async def test_a_forbidden_target(self, place: Place, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
        relay = await place.relay(proxy_route="/to/{host}/{port}/{path}")
        loop, dialled = asyncio.get_running_loop(), []
        dial = loop.create_connection

        async def noting(protocol: Any, host: Any = None, port: Any = None, **more: Any) -> Any:
            dialled.append(host)
            return await dial(protocol, host, port, **more)

        monkeypatch.setattr(loop, "create_connection", noting)
        assert await place.refused(f"{relay}/to/{host}/80/ws") == 403
        assert host not in dialled

    @pytest.mark.parametrize("host", ["no.such.host.invalid", "127.0.0.1%00.evil", "x" * 300, "127.0.0.1@192.0.2.1"])
    async def test_a_target_that_there_is_not(self, place: Place, host: str) -> None:
        relay = await place.relay(proxy_route="/to/{host}/{port}/{path}")
        assert await place.refused(f"{relay}/to/{host}/80/ws") == 502

    @pytest.mark.parametrize(
        "port", ["0", "65536", "9" * 5000, "0" * 5000, "00000080", "%D9%A1", "+80", "8_0", "-1", "80.0"]
    )
    async def test_a_port_that_there_is_not(self, place: Place, port: str) -> None:
        relay = await place.relay(proxy_route="/to/{port}/{path}")
        assert await place.refused(f"{relay}/to/{port}/ws") == 404

    async def test_a_name_that_leads_elsewhere(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is dialled is the address that was allowed: a name may lead elsewhere when it is asked again."""
        target, relay = await place.echo(), await place.relay(proxy_route="/to/{host}/{port}")
        loop, answers = asyncio.get_running_loop(), iter(["127.0.0.1", "192.0.2.1", "192.0.2.1"])
        resolve = loop.getaddrinfo

        async def rebinding(host: Any, *more: Any, **options: Any) -> Any:
            return await resolve(next(answers) if host == "rebind.example" else host, *more, **options)

        monkeypatch.setattr(loop, "getaddrinfo", rebinding)
        await place.dial(f"{relay}/to/rebind.example/{target}")
        assert await place.refused(f"{relay}/to/rebind.example/{target}") == 403

    async def test_what_is_allowed_replaces_loopback(self, place: Place) -> None:
        target = await place.echo()
        relay = await place.relay(proxy_route="/to/{host}/{port}", allow=(f"127.0.0.1:{target}", "10.0.0.0/8:80-90"))
        await place.dial(f"{relay}/to/127.0.0.1/{target}")
        await place.dial(f"{relay}/to/localhost/{target}")
        assert await place.refused(f"{relay}/to/127.0.0.1/{target + 1}") == 403
        assert await place.refused(f"{relay}/to/127.0.0.2/{target}") == 403

    async def test_paths_are_quoted_and_tokens_stay_here(self, place: Place, tokens: dict[str, str]) -> None:
        target, relay = await place.echo(), await place.relay(proxy_route="/to/{port}/{path:.*}", **tokens)
        token = f"token={TOKEN.replace(' ', '%20')}"
        socket = await place.dial(f"{relay}/to/{target}/tell/a%20b%3Fc?x=1&{token}")
        assert await socket.receive_str() == "/tell/a%20b%3Fc?x=1 None"
        assert await place.refused(f"{relay}/to/{target}/tell/a%0d%0aX-Evil:%201?{token}") == 404

    @pytest.mark.parametrize("port", ["0", "65536", "99999999", "-1", "x", "²"])
    async def test_ports_that_there_are_not(self, place: Place, port: str) -> None:
        assert await place.refused(f"{await place.relay()}/proxy/{port}") == 404

    async def test_a_client_needs_the_token(self, place: Place, tmp_path: Path) -> None:
        (tmp_path / "client").write_text("0123456789abcdef")
        target, relay = await place.echo(), await place.relay(client_token_file=str(tmp_path / "client"))
        assert await place.refused(f"{relay}/proxy/{target}") == 401
        assert await place.refused(f"{relay}/proxy/{target}?token=x") == 401
        await place.dial(f"{relay}/proxy/{target}", **bearer("0123456789abcdef"))

    async def test_a_foreign_page_is_refused(self, place: Place) -> None:
        target, relay = await place.echo(), await place.relay(origins=("https://good.example",))
        assert await place.refused(f"{relay}/proxy/{target}", headers={"Origin": EVIL}) == 403
        await place.dial(f"{relay}/proxy/{target}", headers={"Origin": relay})
        await place.dial(f"{relay}/proxy/{target}", headers={"Origin": "https://good.example"})

    async def test_a_page_whose_name_was_made_to_resolve_to_this_machine_is_refused(self, place: Place) -> None:
        target = await place.echo()
        for options in ({}, {"mode": "relay"}):
            relay = await place.relay(**options)
            for name in ("evil.example", "evil.example:8080", "127.0.0.1.evil.example"):
                rebound = {"Host": name, "Origin": f"http://{name}"}
                assert await place.refused(f"{relay}/proxy/{target}", headers=rebound) == 403
        named = await place.relay(origins=("https://lab.example",))
        await place.dial(f"{named}/proxy/{target}", headers={"Host": "lab.example", "Origin": "https://lab.example"})
        public = await place.relay(host="0.0.0.0")
        await place.dial(f"{public}/proxy/{target}", headers={"Host": "lab.example", "Origin": "https://lab.example"})

    async def test_a_target_that_does_not_read_holds_its_client_back(self, place: Place) -> None:
        async def stuck(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await asyncio.sleep(5)
            return socket

        application = web.Application()
        application.router.add_get("/ws", stuck)
        target, relay = await place.serve(application), await place.relay()
        await _is_held_back(await place.dial(f"{relay}/proxy/{target}"))

    async def test_a_client_that_does_not_read_holds_its_target_back(self, place: Place) -> None:
        sent = 0

        async def flood(request: web.Request) -> web.WebSocketResponse:
            nonlocal sent
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            for _ in range(64):
                await socket.send_bytes(bytes(2**20))
                sent += 1
            return socket

        application = web.Application()
        application.router.add_get("/ws", flood)
        target, relay = await place.serve(application), await place.relay()
        socket = await place.dial(f"{relay}/proxy/{target}")
        await asyncio.sleep(1)
        assert sent < 64
        for _ in range(64):
            assert len(await socket.receive_bytes()) == 2**20
        assert sent == 64

    async def test_a_probe_is_answered(self, place: Place) -> None:
        async with place.http.get(f"{await place.relay()}/proxy/80") as response:
            assert response.status == 426


async def _is_held_back(socket: aiohttp.ClientWebSocketResponse) -> None:
    async def flood() -> None:
        for _ in range(64):
            await socket.send_bytes(bytes(2**20))

    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(flood(), 1)


class TestRelay:
    @pytest.fixture
    async def url(self, place: Place) -> str:
        return f"{await place.relay(mode='relay', proxy_route='/meet/{id}')}/meet/one"

    async def test_both_directions_and_any_size(self, place: Place, url: str) -> None:
        process = await place.dial(url)
        client = await place.dial(url, headers={"Origin": url.removesuffix("/meet/one")})
        for size in (0, 1, 126, 65536, 6 * 2**20, 24 * 2**20):
            data = bytes(range(256)) * (size // 256 + 1)
            for one, other in ((client, process), (process, client)):
                sending = asyncio.create_task(one.send_bytes(data))
                assert await other.receive_bytes() == data
                await sending
        await client.send_str("text é")
        assert await process.receive_str() == "text é"

    async def test_a_close_reaches_the_other_with_its_code(self, place: Place, url: str) -> None:
        process, client = await place.dial(url), await place.dial(url)
        closing = asyncio.create_task(client.close(code=4001))
        message = await process.receive(timeout=2)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4001)
        await asyncio.wait_for(closing, 2)

    async def test_a_lost_connection_ends_the_other(self, place: Place, url: str) -> None:
        process, client = await place.dial(url), await place.dial(url)
        assert process._response.connection is not None
        process._response.connection.transport.abort()  # type: ignore[union-attr]
        message = await client.receive(timeout=2)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1014)  # 1001 would say that it does not return (RES-6)

    async def test_the_next_client_meets_a_new_connection(self, place: Place, url: str) -> None:
        """What the first has proved to the process counts for nobody else."""
        process, client = await place.dial(url), await place.dial(url)
        await client.close()
        assert (await process.receive(timeout=2)).type is WSMsgType.CLOSE
        page = {"Origin": url.removesuffix("/meet/one")}
        waiting = asyncio.create_task(place.dial(url, headers=page))
        await asyncio.sleep(0.1)
        again = await place.dial(url)
        await again.send_str("fresh")
        assert await (await waiting).receive_str() == "fresh"

    async def test_a_client_without_a_process_gets_502(self, place: Place, url: str) -> None:
        page = {"Origin": url.removesuffix("/meet/one")}
        assert await place.refused(url, headers=page) == 502

    async def test_a_third_is_refused(self, place: Place, url: str) -> None:
        _process, client = await place.dial(url), await place.dial(url)
        listening = asyncio.create_task(client.receive())
        assert await place.refused(url) == 403
        listening.cancel()

    async def test_paths_are_apart(self, place: Place, url: str) -> None:
        one, two = await place.dial(url), await place.dial(f"{url}-two")
        for process, path in ((one, url), (two, f"{url}-two")):
            client = await place.dial(path)
            await client.send_str(path)
            assert await process.receive_str() == path

    async def test_a_process_that_waits_is_answered_and_held_back(self, place: Place, url: str) -> None:
        process = await place.dial(url, autoping=False)
        await process.ping(b"there?")
        while (message := await process.receive(timeout=2)).type is not WSMsgType.PONG:
            assert message.type is WSMsgType.PING  # the relay asks too
        assert message.data == b"there?"
        await _is_held_back(process)

    async def test_who_does_not_read_holds_the_other_back(self, place: Place, url: str) -> None:
        _, client = await place.dial(url), await place.dial(url)
        await _is_held_back(client)
        process, _ = await place.dial(f"{url}-two"), await place.dial(f"{url}-two")
        await _is_held_back(process)

    async def test_what_a_process_says_early_is_not_lost(self, place: Place, url: str) -> None:
        process = await place.dial(url)
        await process.send_str("early")
        client = await place.dial(url)
        assert await client.receive_str() == "early"

    async def test_a_token_for_each_side(self, place: Place, tokens: dict[str, str]) -> None:
        url = f"{await place.relay(mode='relay', proxy_route='/meet/{id}', **tokens)}/meet/one"
        client, process = (f"{url}?token={token.replace(' ', '%20')}" for token in (TOKEN, OTHER))
        for wrong in (url, f"{url}?token=x"):
            assert await place.refused(wrong) == 401
        assert await place.refused(process, headers={"Origin": url.removesuffix("/meet/one")}) == 401
        assert await place.refused(client) == 502  # it is no process, whoever comes first
        old = await place.dial(process)
        new = await place.dial(process)  # it came back before its old connection was noticed to be dead
        assert (await old.receive(timeout=2)).type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
        socket = await place.dial(client)
        await socket.send_str("hello")
        assert await new.receive_str() == "hello"

    async def test_a_frame_without_a_mask_ends_the_pair(self, place: Place, url: str) -> None:
        process, client = await place.dial(url), await place.dial(url)
        assert client._response.connection is not None
        client._response.connection.transport.write(b"\x81\x01x")  # type: ignore[union-attr]
        assert (await process.receive(timeout=2)).data == 1014
        with contextlib.suppress(ConnectionError):  # of the client, which answers a connection that has ended
            assert (await client.receive(timeout=2)).data == 1002

    async def test_rooms_are_tidied(self, place: Place) -> None:
        relay = Relay(Options(mode="relay", proxy_route="/meet/{id}", wait=0.2))
        url = f"http://127.0.0.1:{await place.serve(relay.application())}/meet/one"
        process, client = await place.dial(url), await place.dial(url)
        await client.close()
        await process.close()
        await asyncio.sleep(0.05)
        assert relay._rooms._rooms == {}


class TestOptions:
    @pytest.mark.parametrize("text", ["", ":80", "host:x", "host:1-", "a:b:c"])
    def test_rules_that_mean_nothing(self, text: str) -> None:
        with pytest.raises(UsageError, match="HOST"):
            parse_rule(text)

    @pytest.mark.parametrize("ports", ["0", "99999", "90-80", "0-80", "80-99999", "123456", "9" * 5000, "\u0661"])
    def test_ports_that_nobody_listens_on(self, ports: str) -> None:
        with pytest.raises(UsageError, match="HOST|ports are from 1 to 65535"):
            parse_rule(f"host:{ports}")

    def test_a_mode_that_there_is_not(self) -> None:
        with pytest.raises(UsageError, match="forward, relay"):
            Options(mode="sink")

    def test_a_short_token(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("short")
        with pytest.raises(UsageError, match="at least 16"):
            Relay(Options(client_token_file=str(tmp_path / "token")))


def test_the_document_has_every_flag() -> None:
    text = (Path(__file__).parents[2] / "docs" / "relay.md").read_text()
    for option in dataclasses.fields(Options):
        flags = " ".join(f"`{flag}`" for flag in option.metadata["flags"])
        default = f"`{option.default}`" if option.default not in ("", ()) else ""
        assert f"| {flags} | {default} | {option.metadata['help']} |" in text
