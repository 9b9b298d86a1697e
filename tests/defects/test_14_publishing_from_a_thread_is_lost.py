"""Defect 14: publish from another thread is lost without a word, and completion() then never returns."""

import asyncio

from wslink.websocket import LinkProtocol

from ..released.package import defect, since_2
from ..released.peer import soon
from ..released.serving import Protocol, serving


@defect(14)
async def test_it_arrives():
    protocol = Protocol(link := LinkProtocol())
    async with serving(protocol) as running:
        peer = await running.connect()
        await asyncio.to_thread(link.publish, "a.topic", 1)
        assert await soon(peer.publication("a.topic"), "the publication from a thread") == 1


@since_2
@defect(14)
async def test_the_network_comes_to_rest():
    protocol = Protocol(link := LinkProtocol())
    async with serving(protocol) as running:
        await running.connect()
        await asyncio.to_thread(link.publish, "a.topic", 1)
        await soon(protocol.network_monitor.completion(), "completion()")
