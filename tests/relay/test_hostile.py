"""What one peer of a relay can do to the others."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import WSMsgType

from tests.relay.place import Place, Raw, frame
from wslink.relay import member, rooms


@pytest.fixture
async def url(place: Place) -> str:
    return f"{await place.relay(mode='relay', proxy_route='/meet/{id}')}/meet"


async def longest_wait(place: Place, url: str, seconds: float) -> float:
    """The longest time that a message takes from a client to its process and back, while the loop is shared with an
    attacker's end: seconds of this thread, in which all of them run. What the machine does beside does not count."""
    process, client = await place.dial(url), await place.dial(url)
    longest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.thread_time()
        await client.send_str("x")
        await process.send_str(await process.receive_str())
        await client.receive_str()
        longest = max(longest, time.thread_time() - began)
        await asyncio.sleep(0.02)
    return longest


async def test_pings_of_a_peer_that_waits_and_reads_nothing(place: Place, url: str) -> None:
    before = psutil.Process(os.getpid()).memory_info().rss
    peers = [await Raw.dial(f"{url}/flood{n}") for n in range(5)]
    floods = [asyncio.create_task(one.flood(frame(9, b"x" * 125) * 500, 1)) for one in peers]
    assert await longest_wait(place, f"{url}/probe", 1) < 0.2
    await asyncio.gather(*floods)
    assert psutil.Process(os.getpid()).memory_info().rss - before < 32 * 2**20
    for one in peers:  # the reason is lost where it was still sending
        await asyncio.wait_for(one.rest(30), 2)
        one.writer.close()


async def test_the_newest_ping_is_answered(place: Place, url: str) -> None:
    peer = await Raw.dial(f"{url}/one")
    peer.writer.write(b"".join(frame(9, bytes([48 + n])) for n in range(9)))
    await peer.reader.readuntil(b"\x89\x00")  # the relay's own
    assert await peer.reader.readexactly(3) == b"\x8a\x018"
    peer.writer.close()


async def test_small_frames_of_one_pair_delay_no_other(place: Place, url: str) -> None:
    pairs = [(await Raw.dial(f"{url}/{n}"), await Raw.dial(f"{url}/{n}")) for n in range(4)]
    readers = [asyncio.create_task(process.rest(3)) for process, _ in pairs]
    floods = [asyncio.create_task(client.flood(frame(0) * 10_000, 1.5)) for _, client in pairs]
    assert await longest_wait(place, f"{url}/probe", 1.5) < 0.2
    await asyncio.gather(*floods)
    for process, client in pairs:
        client.writer.close()
        process.writer.close()
    await asyncio.gather(*readers)


async def test_many_small_frames_arrive_in_order(place: Place, url: str) -> None:
    process, client = await place.dial(f"{url}/one"), await place.dial(f"{url}/one")
    for number in range(5000):
        await client.send_bytes(struct.pack(">I", number))
    await client.send_bytes(bytes(2**20))
    for number in range(5000):
        assert await process.receive_bytes() == struct.pack(">I", number)
    assert len(await process.receive_bytes()) == 2**20


async def test_peers_that_wait_do_not_take_every_path(place: Place, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "MAX_ROOMS", 20)
    waiting = [await Raw.dial(f"{url}/waits{n}") for n in range(40)]
    process, client = await place.dial(f"{url}/honest"), await place.dial(f"{url}/honest")
    await client.send_str("hello")
    assert await process.receive_str() == "hello"
    assert b"\x03\xf5too many wait" in await waiting[0].rest()
    waiting += [await Raw.dial(f"{url}/more{n}") for n in range(40)]
    await client.send_str("still")
    assert await process.receive_str() == "still"
    for one in waiting:
        one.writer.close()


async def test_who_has_shown_a_token_does_not_give_way(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "MAX_ROOMS", 5)
    (tmp_path / "process").write_text("0123456789abcdef")
    tokens = {"process_token_file": str(tmp_path / "process")}
    url = f"{await place.relay(mode='relay', proxy_route='/meet/{id}', wait=2, **tokens)}/meet"
    proven = [await place.dial(f"{url}/{n}?token=0123456789abcdef") for n in range(4)]
    page = {"Origin": url.removesuffix("/meet")}
    waiting = [asyncio.create_task(place.refused(f"{url}/waits{n}", headers=page)) for n in range(10)]
    await asyncio.sleep(0.3)
    client = await place.dial(f"{url}/0", headers=page)
    await client.send_str("hello")
    assert await proven[0].receive_str() == "hello"
    assert set(await asyncio.gather(*waiting)) == {502}


async def test_a_client_that_says_nothing_does_not_keep_the_process(
    place: Place, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(member, "FIRST_MESSAGE", 0.2)
    process, silent = await place.dial(f"{url}/one"), await Raw.dial(f"{url}/one")
    silent.writer.write(frame(9))
    assert b"\x03\xf0no message came in time" in await silent.rest()
    with contextlib.suppress(ConnectionError):  # of aiohttp, which answers on a connection that has ended
        assert (await process.receive(timeout=2)).type is WSMsgType.CLOSE
    process, client = await place.dial(f"{url}/one"), await place.dial(f"{url}/one")
    await client.send_str("hello")
    await asyncio.sleep(0.4)
    await process.send_str("it stays")
    assert await client.receive_str() == "it stays"
    silent.writer.close()


@pytest.mark.parametrize("mode", ["forward", "relay"])
async def test_tokens_are_not_guessed(place: Place, tmp_path: Path, mode: str) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    relay = await place.relay(mode=mode, client_token_file=str(tmp_path / "token"))
    page: dict[str, Any] = {"headers": {"Origin": relay}}
    for _ in range(10):
        assert await place.refused(f"{relay}/proxy/1?token=wrong", **page) == 401
    assert await place.refused(f"{relay}/proxy/1?token=0123456789abcdef", **page) == 429
    assert await place.refused(f"{relay}/proxy/1", **page) == 401
    (tmp_path / "token").write_text("fedcba9876543210\r\n")
    await asyncio.sleep(1)
    assert await place.refused(f"{relay}/proxy/1?token=fedcba9876543210", **page) in (502, 403)


@pytest.mark.parametrize("mode", ["forward", "relay"])
async def test_it_says_that_it_is_well(place: Place, mode: str) -> None:
    relay = await place.relay(mode=mode)
    async with place.http.get(f"{relay}/health") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})
    async with place.http.get(f"{relay}/") as response:
        assert "relay" in await response.text()


async def test_a_path_of_any_name_is_one_of_the_relays(place: Place) -> None:
    relay = await place.relay(mode="relay", proxy_route="/{id}")
    process, client = await place.dial(f"{relay}/health"), await place.dial(f"{relay}/health")
    await client.send_str("hello")
    assert await process.receive_str() == "hello"
