"""Defect 1: one client that stops reading stops every other client's replies and publications."""

import asyncio

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving

FRAMES, SIZE = 40, 2**20


class Frames(LinkProtocol):
    @register("frames.alive")
    def alive(self):
        return True


async def flood(link):
    for number in range(FRAMES):
        image = bytes([number]) * SIZE
        link.publish("a.frame", {"number": number, "image": link.addAttachment(image)})
        await asyncio.sleep(0)


@defect(1)
async def test_publications_go_on(generation):
    async with serving(Protocol(link := Frames())) as running:
        stalled = await running.connect(generation)
        healthy = await running.connect(generation)
        publishing = asyncio.create_task(flood(link))
        frames = [
            await soon(healthy.publication("a.frame"), "a publication to the healthy client", 2) for _ in range(FRAMES)
        ]
        assert [frame["number"] for frame in frames] == list(range(FRAMES))
        await publishing
        assert not stalled.frames.closed


@defect(1, released=("2.6.0",))
async def test_replies_go_on(generation):
    async with serving(Protocol(link := Frames())) as running:
        stalled = await running.connect(generation)
        await flood(link)
        late = await running.dial(generation)
        await soon(late.hello(), "an answer to a healthy client", 2)
        assert await late.call("frames.alive") is True
        assert not stalled.frames.closed
