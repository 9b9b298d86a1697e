"""Defect 12: only the first of two stacked @register decorators counts."""

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.serving import Protocol, serving


class Stacked(LinkProtocol):
    @register("outer.name")
    @register("inner.name")
    def get(self):
        return "got"


@defect(12)
async def test_every_name_calls_the_method():
    async with serving(Protocol(Stacked())) as running:
        peer = await running.connect()
        assert await peer.call("inner.name") == "got"
        assert await peer.call("outer.name") == "got"
