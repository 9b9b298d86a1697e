"""Defect 16: an exception in a user's onClose skips the clean-up."""

import asyncio

from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


class Raising(LinkProtocol):
    def onClose(self, client_id):
        raise RuntimeError("in onClose")


class Hearing(LinkProtocol):
    def __init__(self):
        self.closed = asyncio.Event()

    def onClose(self, client_id):
        self.closed.set()


@defect(16)
async def test_the_other_protocols_hear_of_the_close():
    async with serving(Protocol(Raising(), hearing := Hearing())) as running:
        await (await running.connect()).close()
        await soon(hearing.closed.wait(), "onClose of the second protocol")


@defect(16)
async def test_the_server_still_stops_when_idle():
    async with serving(Protocol(Raising()), timeout=1) as running:
        await (await running.connect()).close()
        await soon(asyncio.shield(running.task), "the end of the idle server", 2.5)
