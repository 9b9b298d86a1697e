"""Workers that have just come, and clients that return to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cluster.switch import Switch
from tests.cluster.test_cluster import Start, Worker, start, until
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


class Wanderer:
    """A link that is led to one worker or another."""

    def __init__(self) -> None:
        self.returned: list[bool] = []
        self.line = Switch(0)
        self.link: Any = None

    async def connect(self, worker: Worker) -> None:
        await self.line.start()
        self.line.lead_to(worker.url)
        soon = Reconnect(initial=0.05, max=0.05)
        self.link = await connect(f"ws://127.0.0.1:{self.line.port}/ws", secret="secret", reconnect=soon)
        self.link.on_reconnected(lambda reconnected: self.returned.append(reconnected.resumed))

    def move(self, worker: Worker) -> None:
        self.line.lead_to(worker.url)
        self.line.cut()

    async def stop(self) -> None:
        await self.link.close()
        await self.line.stop()


@pytest.fixture
async def wanderer() -> AsyncIterator[Wanderer]:
    wanderer = Wanderer()
    yield wanderer
    await wanderer.stop()


async def test_a_worker_that_knows_nobody_yet_asks_for_the_session_of_a_client(
    start: Start, broker: Slow, wanderer: Wanderer
) -> None:
    """RES-12: a client that meets a worker in its first moment."""
    await wanderer.connect(await start())
    broker.slow = True
    two: Worker = await start()
    wanderer.move(two)
    await asyncio.sleep(0.3)
    assert not wanderer.returned, "it waits"
    broker.release()
    await until(lambda: wanderer.returned)
    assert wanderer.returned == [True]
    assert list(two.app._hub.clients) == [wanderer.link.client_id]


async def test_a_session_that_is_asked_for_while_its_worker_gives_it_away_goes_on(
    start: Start, broker: Slow, wanderer: Wanderer
) -> None:
    """RES-12: the one asks and the other gives at the same moment."""
    one: Worker = await start()
    two: Worker = await start()
    await wanderer.connect(one)
    await until(lambda: list(two.app.clients) == [wanderer.link.client_id])
    broker.ends[0].held = True
    wanderer.move(two)
    await asyncio.sleep(0.3)
    stopping = asyncio.create_task(one.app._hub.stop())
    await asyncio.sleep(0.1)
    broker.release()
    await until(lambda: wanderer.returned)
    assert wanderer.returned == [True]
    await stopping
