"""Defect 3: a slow async method delays every later call of its connection, and a close is not noticed until it ends."""

import asyncio

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


class Gate(LinkProtocol):
    def __init__(self):
        self.entered, self.gate, self.closed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def onClose(self, client_id):
        self.closed.set()

    @register("gate.wait")
    async def wait(self):
        self.entered.set()
        await self.gate.wait()
        return "through"

    @register("gate.open")
    def open(self):
        self.gate.set()


@defect(3)
async def test_a_later_call_is_answered_first(generation):
    async with serving(Protocol(Gate())) as running:
        peer = await running.connect(generation)
        waiting = await peer.post("gate.wait")
        await soon(peer.call("gate.open"), "an answer beside a slow call")
        assert (await peer.answer(waiting))["result"] == "through"


@defect(3)
async def test_a_close_is_noticed_during_a_call():
    async with serving(Protocol(gate := Gate())) as running:
        peer = await running.connect()
        await peer.post("gate.wait")
        await gate.entered.wait()
        closing = asyncio.create_task(peer.close())
        await soon(gate.closed.wait(), "onClose beside a slow call")
        await closing
