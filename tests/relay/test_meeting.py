"""The relay in relay mode, over real sockets: a process and its client meet at a path."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import WSMsgType

from tests.relay.place import OTHER, TOKEN, Place, is_held_back
from tests.waiting import until
from wslink.relay.options import Options
from wslink.relay.service import Relay


@pytest.fixture
async def url(place: Place) -> str:
    return f"{await place.relay(mode='relay', proxy_route='/meet/{id}', wait=10)}/meet/one"


async def test_both_directions_and_any_size(place: Place, url: str) -> None:
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


async def test_a_close_reaches_the_other_with_its_code(place: Place, url: str) -> None:
    process, client = await place.dial(url), await place.dial(url)
    closing = asyncio.create_task(client.close(code=4001))
    message = await process.receive(timeout=2)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 4001)
    await asyncio.wait_for(closing, 2)


async def test_a_lost_connection_ends_the_other(place: Place, url: str) -> None:
    process, client = await place.dial(url), await place.dial(url)
    assert process._response.connection is not None
    process._response.connection.transport.abort()  # type: ignore[union-attr]
    message = await client.receive(timeout=2)
    assert (message.type, message.data) == (WSMsgType.CLOSE, 1014)  # 1001 would say that it does not return (RES-6)


async def test_the_next_client_meets_a_new_connection(place: Place, url: str) -> None:
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


async def test_a_client_without_a_process_gets_502(place: Place) -> None:
    url = await place.relay(mode="relay", proxy_route="/meet/{id}", wait=0.2)
    assert await place.refused(f"{url}/meet/one", headers={"Origin": url}) == 502


async def test_a_third_is_refused(place: Place, url: str) -> None:
    _process, client = await place.dial(url), await place.dial(url)
    listening = asyncio.create_task(client.receive())
    assert await place.refused(url) == 403
    listening.cancel()


async def test_paths_are_apart(place: Place, url: str) -> None:
    one, two = await place.dial(url), await place.dial(f"{url}-two")
    for process, path in ((one, url), (two, f"{url}-two")):
        client = await place.dial(path)
        await client.send_str(path)
        assert await process.receive_str() == path


async def test_a_process_that_waits_is_answered_and_held_back(place: Place, url: str) -> None:
    process = await place.dial(url, autoping=False)
    await process.ping(b"there?")
    while (message := await process.receive(timeout=2)).type is not WSMsgType.PONG:
        assert message.type is WSMsgType.PING  # the relay asks too
    assert message.data == b"there?"
    await is_held_back(process)


async def test_who_does_not_read_holds_the_other_back(place: Place, url: str) -> None:
    _, client = await place.dial(url), await place.dial(url)
    await is_held_back(client)
    process, _ = await place.dial(f"{url}-two"), await place.dial(f"{url}-two")
    await is_held_back(process)


async def test_what_a_process_says_early_is_not_lost(place: Place, url: str) -> None:
    process = await place.dial(url)
    await process.send_str("early")
    client = await place.dial(url)
    assert await client.receive_str() == "early"


async def test_a_token_for_each_side(place: Place, tokens: dict[str, str]) -> None:
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


async def test_a_frame_without_a_mask_ends_the_pair(place: Place, url: str) -> None:
    process, client = await place.dial(url), await place.dial(url)
    assert client._response.connection is not None
    client._response.connection.transport.write(b"\x81\x01x")  # type: ignore[union-attr]
    assert (await process.receive(timeout=2)).data == 1014
    with contextlib.suppress(ConnectionError):  # of the client, which answers a connection that has ended
        assert (await client.receive(timeout=2)).data == 1002


async def test_rooms_are_tidied(place: Place) -> None:
    relay = Relay(Options(mode="relay", proxy_route="/meet/{id}", wait=0.2))
    url = f"http://127.0.0.1:{await place.serve(relay.application())}/meet/one"
    process, client = await place.dial(url), await place.dial(url)
    await client.close()
    await process.close()
    await until(lambda: relay._rooms._rooms == {})
