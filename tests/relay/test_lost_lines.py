"""Clients whose line was lost without the relay being told, and those that only seem so."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time

import pytest

from tests.relay.place import Place, Raw, frame
from tests.relay.test_metrics import lines
from wslink.relay import member

PING, PONG = 9, 10


@pytest.fixture
async def url(place: Place, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(member, "PROBE", 0.4)
    return f"{await place.relay(mode='relay', proxy_route='/meet/{id}', wait=20, metrics=True)}/meet/one"


async def test_who_shows_no_sign_of_life_gives_way_to_who_comes(place: Place, url: str) -> None:
    """The next client meets a new connection of the process."""
    process, lost = await place.dial(url), await Raw.dial(url)
    lost.writer.write(frame(2, b"hello"))
    assert await process.receive_bytes() == b"hello"
    coming = asyncio.create_task(place.dial(url, headers={"Origin": url.removesuffix("/meet/one")}))
    message = await process.receive(timeout=10)
    assert message.data == 1014  # it has gone, and may return (RES-6)
    again = await place.dial(url)
    client = await coming
    await client.send_str("back")
    assert await again.receive_str() == "back"
    lost.writer.close()


async def test_who_answers_keeps_its_place(place: Place, url: str) -> None:
    process, client = await place.dial(url), await place.dial(url)
    listening = asyncio.create_task(client.receive_str())
    for _ in range(2):
        assert await place.refused(url) == 403
    await process.send_str("still there")
    assert await listening == "still there"


async def test_who_is_in_the_middle_of_a_message_keeps_its_place(place: Place, url: str) -> None:
    """It takes what was sent before it can answer, longer than it would have for an answer alone. No ping comes into
    the middle of a frame."""
    process, client = await Raw.dial(url), await Raw.dial(url)
    client.writer.write(frame(2, b"hello"))
    data = bytes(range(256)) * 4096
    header = struct.pack(">BBQ", 0x82, 0xFF, len(data)) + bytes(4)

    async def send() -> None:
        for half in (header + data[: len(data) // 2], data[len(data) // 2 :]):
            process.writer.write(half)
            await asyncio.sleep(0.7)

    sending = asyncio.create_task(send())
    received = await client.reader.readexactly(1000)
    refused = asyncio.create_task(place.refused(url))
    while len(received) < 12 + len(data) and not client.reader.at_eof():
        received += await client.reader.read(2**16)
        await asyncio.sleep(0.05)
    assert received[12:].startswith(data)  # after the ping of one that waits, and the header
    client.writer.write(frame(PONG))
    assert await refused == 403
    await sending
    for one in (process, client):
        one.writer.close()


async def test_of_those_that_wait_the_newest_gets_the_process(place: Place, url: str) -> None:
    """A client whose line was lost while it waited keeps nobody out."""
    page = {"Origin": url.removesuffix("/meet/one")}
    lost = asyncio.create_task(place.refused(url, headers=page))
    while 'wslink_relay_waiting{role="client"} 1.0' not in await lines(place, url.removesuffix("/meet/one")):
        await asyncio.sleep(0.01)
    coming = asyncio.create_task(place.dial(url, headers=page))
    assert await lost == 403
    process = await place.dial(url)
    await (await coming).send_str("hello")
    assert await process.receive_str() == "hello"


async def pings(peer: Raw) -> int:
    """How many pings a peer gets until its connection ends."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := await peer.reader.read(100):
            received += part
    return received.count(frame(PING)[:1] + b"\0")


async def test_a_look_is_shared_by_those_that_come_meanwhile(place: Place, url: str) -> None:
    process, lost = await place.dial(url), await Raw.dial(url)
    reading = asyncio.create_task(pings(lost))
    page = {"Origin": url.removesuffix("/meet/one")}
    first = asyncio.create_task(place.refused(url, headers=page))
    await asyncio.sleep(0.3)
    coming = asyncio.create_task(place.dial(url, headers=page))
    assert await first == 403
    assert (await process.receive(timeout=10)).data == 1014
    assert await reading == 2  # that of one that waits, and that of the look
    again = await place.dial(url)
    await (await coming).send_str("hello")
    assert await again.receive_str() == "hello"
    lost.writer.close()


async def test_what_is_sent_after_the_ping_gives_no_more_time(place: Place, url: str) -> None:
    """A line whose end a proxy takes all the same, though nobody is there."""
    process, lost = await place.dial(url), await Raw.dial(url)
    lost.writer.write(frame(2, b"hello"))
    await process.receive_bytes()

    async def swallow() -> None:
        while await lost.reader.read(2**20):
            pass

    async def send() -> None:
        while not process.closed:
            await process.send_bytes(bytes(2**16))
            await asyncio.sleep(0.005)

    tasks = [asyncio.create_task(swallow()), asyncio.create_task(send())]
    began = time.monotonic()
    coming = asyncio.create_task(place.dial(url, headers={"Origin": url.removesuffix("/meet/one")}))
    assert (await process.receive(timeout=10)).data == 1014
    assert time.monotonic() - began < 5
    again = await place.dial(url)
    await (await coming).send_str("hello")
    assert await again.receive_str() == "hello"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    lost.writer.close()
