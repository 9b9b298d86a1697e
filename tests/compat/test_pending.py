"""network_monitor.pending over a real socket: it follows what waits to be written, and comes back to 0."""

from __future__ import annotations

import asyncio

import msgpack
import pytest

from tests.conftest import Open
from tests.hostile import wire
from tests.released.serving import Protocol, serving
from wslink import register
from wslink.websocket import LinkProtocol

HELLO = {"secret": "wslink-secret"}


@pytest.mark.parametrize("engine", ["aiohttp", "picows"])
@pytest.mark.parametrize("generation", [1, 2])
async def test_it_grows_while_a_client_does_not_read(
    peers: Open, generation: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WSLINK_ENGINE", engine)
    protocol = Protocol(link := LinkProtocol())
    monitor = protocol.network_monitor
    async with serving(protocol) as running:
        peer = await peers(running.url(), generation, hello=HELLO)
        await monitor.completion()
        image, seen = bytes(500_000), []
        for _ in range(60):
            link.publish("a.topic", image)
            await asyncio.sleep(0)
            seen.append(monitor.pending)
        assert max(seen) > 30
        for _ in range(60):
            await peer.publication()
        await asyncio.wait_for(monitor.completion(), 5)
        assert monitor.pending == 0


async def test_a_client_that_leaves_takes_what_waits_along(peers: Open) -> None:
    protocol = Protocol(link := LinkProtocol())
    async with serving(protocol) as running:
        peer = await peers(running.url(), hello=HELLO)
        for _ in range(40):
            link.publish("a.topic", bytes(1_000_000))
        await asyncio.sleep(0.05)
        assert protocol.network_monitor.pending > 10
        transport = peer.socket.get_extra_info("socket")
        assert transport is not None
        await peer.session.close()
        await asyncio.wait_for(protocol.network_monitor.completion(), 10)
        assert protocol.network_monitor.pending == 0


@pytest.mark.filterwarnings("error")
async def test_a_call_that_is_cancelled_before_it_begins_does_not_count(peers: Open) -> None:
    """CAN-2: the call and what cancels it arrive together."""

    class Slow(LinkProtocol):
        @register("slow")
        async def slow(self) -> None:
            await asyncio.sleep(60)

    protocol = Protocol(Slow())
    async with serving(protocol) as running:
        peer = await peers(running.url(), hello={**HELLO, "features": ["cancel"]})
        frames = []
        for number in range(20):
            id_ = f"rpc:c0:{number}"
            frames += [wire.message(wire.call("slow", id_=id_)), wire.chunk(msgpack.packb([6, id_]))]
        for frame in frames:
            await peer.socket.send_bytes(frame)
        await asyncio.sleep(0.3)
        await asyncio.wait_for(protocol.network_monitor.completion(), 5)
        assert protocol.network_monitor.pending == 0
