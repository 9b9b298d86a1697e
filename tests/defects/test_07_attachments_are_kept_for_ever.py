"""Defect 7: attachments that nobody collects are kept for ever."""

import asyncio
import gc
import tracemalloc

from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.serving import Protocol, serving


@defect(7, released=("1.12.4",))
async def test_publications_without_clients_leave_nothing_behind():
    async with serving(Protocol(link := LinkProtocol())):
        tracemalloc.start()
        try:
            for _ in range(20):
                link.publish("a.frame", {"image": link.addAttachment(bytes(10**6))})
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] < 3 * 10**6
        finally:
            tracemalloc.stop()
