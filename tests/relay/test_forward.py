"""The relay in forward mode, over real sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.relay.place import TOKEN, Place, is_held_back, speaking

EVIL = "https://evil.example"


def bearer(token: str) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def test_many_clients_and_any_size(place: Place) -> None:
    target, relay = await place.echo(), await place.relay()
    sockets = [await place.dial(f"{relay}/proxy/{target}") for _ in range(3)]
    for size in (1, 125, 65536, 24 * 2**20):
        for socket in sockets:
            await socket.send_bytes(bytes(size))
            assert len(await socket.receive_bytes()) == size


async def test_a_target_that_is_down_is_502_and_may_come(place: Place) -> None:
    relay, target = await place.relay(retry=0.0), await place.echo()
    await place.runners.pop().cleanup()
    for _ in range(3):
        assert await place.refused(f"{relay}/proxy/{target}") == 502
    await place.echo(target)
    await place.dial(f"{relay}/proxy/{target}")


async def test_a_target_that_comes_late_is_met(place: Place) -> None:
    relay, target = await place.relay(retry=3.0), await place.echo()
    await place.runners.pop().cleanup()
    dialled = asyncio.create_task(place.dial(f"{relay}/proxy/{target}"))
    await asyncio.sleep(0.3)
    await place.echo(target)
    await dialled


async def test_a_target_that_speaks_no_websocket(place: Place) -> None:
    async def greet(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-something\r\n\r\n" + bytes(100_000))
        writer.close()

    relay = await place.relay()
    async with speaking(greet) as port:
        assert await place.refused(f"{relay}/proxy/{port}") == 502


async def test_a_target_that_sends_an_endless_head(place: Place) -> None:
    async def babble(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()

    relay = await place.relay()
    async with speaking(babble) as port:
        assert await place.refused(f"{relay}/proxy/{port}") == 502


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:127.0.0.1", "0.0.0.0", "::", "169.254.169.254", "3221225985"]
)
async def test_a_forbidden_target(place: Place, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_a_target_that_there_is_not(place: Place, host: str) -> None:
    relay = await place.relay(proxy_route="/to/{host}/{port}/{path}")
    assert await place.refused(f"{relay}/to/{host}/80/ws") == 502


@pytest.mark.parametrize(
    "port", ["0", "65536", "9" * 5000, "0" * 5000, "00000080", "%D9%A1", "+80", "8_0", "-1", "80.0"]
)
async def test_a_port_that_no_target_has(place: Place, port: str) -> None:
    relay = await place.relay(proxy_route="/to/{port}/{path}")
    assert await place.refused(f"{relay}/to/{port}/ws") == 404


async def test_a_name_that_leads_elsewhere(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is dialled is the address that was allowed: a name may lead elsewhere when it is asked again."""
    target, relay = await place.echo(), await place.relay(proxy_route="/to/{host}/{port}")
    loop, answers = asyncio.get_running_loop(), iter(["127.0.0.1", "192.0.2.1", "192.0.2.1"])
    resolve = loop.getaddrinfo

    async def rebinding(host: Any, *more: Any, **options: Any) -> Any:
        return await resolve(next(answers) if host == "rebind.example" else host, *more, **options)

    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    await place.dial(f"{relay}/to/rebind.example/{target}")
    assert await place.refused(f"{relay}/to/rebind.example/{target}") == 403


async def test_what_is_allowed_replaces_loopback(place: Place) -> None:
    target = await place.echo()
    relay = await place.relay(proxy_route="/to/{host}/{port}", allow=(f"127.0.0.1:{target}", "10.0.0.0/8:80-90"))
    await place.dial(f"{relay}/to/127.0.0.1/{target}")
    await place.dial(f"{relay}/to/localhost/{target}")
    assert await place.refused(f"{relay}/to/127.0.0.1/{target + 1}") == 403
    assert await place.refused(f"{relay}/to/127.0.0.2/{target}") == 403


async def test_paths_are_quoted_and_tokens_stay_here(place: Place, tokens: dict[str, str]) -> None:
    target, relay = await place.echo(), await place.relay(proxy_route="/to/{port}/{path:.*}", **tokens)
    token = f"token={TOKEN.replace(' ', '%20')}"
    socket = await place.dial(f"{relay}/to/{target}/tell/a%20b%3Fc?x=1&{token}")
    assert await socket.receive_str() == "/tell/a%20b%3Fc?x=1 None"
    assert await place.refused(f"{relay}/to/{target}/tell/a%0d%0aX-Evil:%201?{token}") == 404


@pytest.mark.parametrize("port", ["0", "65536", "99999999", "-1", "x", "²"])
async def test_ports_that_there_are_not(place: Place, port: str) -> None:
    assert await place.refused(f"{await place.relay()}/proxy/{port}") == 404


async def test_a_client_needs_the_token(place: Place, tmp_path: Path) -> None:
    (tmp_path / "client").write_text("0123456789abcdef")
    target, relay = await place.echo(), await place.relay(client_token_file=str(tmp_path / "client"))
    assert await place.refused(f"{relay}/proxy/{target}") == 401
    assert await place.refused(f"{relay}/proxy/{target}?token=x") == 401
    await place.dial(f"{relay}/proxy/{target}", **bearer("0123456789abcdef"))


async def test_a_foreign_page_is_refused(place: Place) -> None:
    target, relay = await place.echo(), await place.relay(origins=("https://good.example",))
    assert await place.refused(f"{relay}/proxy/{target}", headers={"Origin": EVIL}) == 403
    await place.dial(f"{relay}/proxy/{target}", headers={"Origin": relay})
    await place.dial(f"{relay}/proxy/{target}", headers={"Origin": "https://good.example"})


async def test_a_page_whose_name_was_made_to_resolve_to_this_machine_is_refused(place: Place) -> None:
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


async def test_a_target_that_does_not_read_holds_its_client_back(place: Place) -> None:
    async def stuck(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await asyncio.sleep(5)
        return socket

    application = web.Application()
    application.router.add_get("/ws", stuck)
    target, relay = await place.serve(application), await place.relay()
    await is_held_back(await place.dial(f"{relay}/proxy/{target}"))


async def test_a_client_that_does_not_read_holds_its_target_back(place: Place) -> None:
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


async def test_a_probe_is_answered(place: Place) -> None:
    async with place.http.get(f"{await place.relay()}/proxy/80") as response:
        assert response.status == 426
