"""Defect 17: the idle timeout looks at one endpoint only; a second stop() raises."""

import asyncio

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.serving import Protocol, serving


class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value):
        return value


@defect(17)
async def test_a_client_of_another_endpoint_counts():
    async with serving(ws={"one": Protocol(Echo()), "two": Protocol()}, timeout=1) as running:
        staying, leaving = await running.connect(route="one"), await running.connect(route="two")
        await leaving.close()
        await asyncio.wait([running.task], timeout=1.4)
        assert not running.task.done()
        assert await staying.call("test.echo", 1) == 1


@defect(17)
async def test_stop_may_be_called_again():
    async with serving(Protocol()) as running:
        await running.server.stop()
        await running.server.stop()
        assert await running.task is None
