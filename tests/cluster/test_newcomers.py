"""Workers that have just come, and clients that return to them."""

from __future__ import annotations

import asyncio

import pytest

from tests.cluster.switch import Switch
from tests.cluster.test_cluster import Start, Worker, start
from wslink import Reconnect, connect
from wslink.cluster.broker import Broker
from wslink.cluster.memory_log import MemoryBroker, MemoryLog

__all__ = ["start"]


class Slow(MemoryBroker):
    """A broker that keeps those that come waiting for what others say.

    Attributes:
        slow: whether it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slow: bool = False
        self.ends: list[MemoryLog] = []

    def connect(self) -> Broker:
        end = MemoryLog(self)
        end.held = self.slow
        self.ends.append(end)
        return end

    def release(self) -> None:
        for end in self.ends:
            end.held = False


@pytest.fixture
def broker() -> Slow:
    return Slow()


async def test_a_worker_that_knows_nobody_yet_asks_for_the_session_of_a_client(start: Start, broker: Slow) -> None:
    """RES-12: a client that meets a worker in its first moment."""
    one: Worker = await start()
    line = await Switch(0).start()
    line.lead_to(one.url)
    link = await connect(f"ws://127.0.0.1:{line.port}/ws", secret="secret", reconnect=Reconnect(initial=0.05, max=0.05))
    returned: list[bool] = []
    link.on_reconnected(lambda reconnected: returned.append(reconnected.resumed))
    broker.slow = True
    two: Worker = await start()
    line.lead_to(two.url)
    line.cut()
    await asyncio.sleep(0.3)
    assert not returned, "it waits"
    broker.release()
    for _ in range(300):
        if returned:
            break
        await asyncio.sleep(0.01)
    assert returned == [True]
    assert list(two.app._hub.clients) == [link.client_id]
    await link.close()
    await line.stop()
