"""Defect 8: skip_last_active_client sends each other client n copies, and forgets who called."""

import asyncio

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.serving import Protocol, serving


class Publisher(LinkProtocol):
    def __init__(self):
        self.entered, self.gate = asyncio.Event(), asyncio.Event()

    @register("pub.echo")
    def echo(self):
        pass

    @register("pub.now")
    def now(self):
        self.publish("a.topic", "now", skip_last_active_client=True)

    @register("pub.later")
    async def later(self):
        self.entered.set()
        await self.gate.wait()
        self.publish("a.topic", "later", skip_last_active_client=True)


def payloads(messages):
    return [message["result"] for message in messages]


@defect(8)
async def test_each_other_client_gets_one_copy(generation):
    async with serving(Protocol(Publisher())) as running:
        caller, *others = [await running.connect(generation) for _ in range(4)]
        await caller.call("pub.now")
        assert await caller.everything("pub.echo") == []
        for other in others:
            assert await other.publication("a.topic") == "now"
            assert payloads(await other.everything("pub.echo")) == []


@defect(8)
async def test_the_caller_is_the_one_whose_call_publishes():
    async with serving(Protocol(publisher := Publisher())) as running:
        caller, other = await running.connect(), await running.connect()
        waiting = await caller.post("pub.later")
        await publisher.entered.wait()
        await other.call("pub.echo")
        publisher.gate.set()
        await caller.answer(waiting)
        assert payloads(await caller.everything("pub.echo")) == []
        assert payloads(await other.everything("pub.echo")) == ["later"]
