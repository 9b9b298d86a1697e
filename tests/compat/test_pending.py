"""network_monitor.pending over a real socket: it follows what waits to be written, and comes back to 0."""

from __future__ import annotations

import asyncio

import pytest

from tests.conftest import Open
from tests.released.serving import Protocol, serving
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
