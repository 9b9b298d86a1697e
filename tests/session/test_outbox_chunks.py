"""What results count of which chunks have been sent (LIM-6, LANE-3, TURN-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.session.driven import Line
from wslink import Limits
from wslink.hub.hub import Hub
from wslink.rpc.methods import Method
from wslink.session.identity import Identity
from wslink.session.send_queue import OVERHEAD
from wslink.wire.frames import Frame

SIZE, MOST = 100_000, 1_000_000


class Slow(Line):
    """A connection that takes a frame at a time."""

    def send(self, frames: Sequence[Frame]) -> None:
        super().send(frames)
        self.writable = False

    def take_one(self) -> None:
        self.writable = True
        self.session.resume()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub("app", lambda given: Identity(), Limits(max_outbox=MOST))
    hub.start()
    yield hub
    await hub.stop(0.1)


async def test_what_has_been_sent_of_a_result_counts_until_all_of_it_has(hub: Hub) -> None:
    """Large results take turns, a chunk each, and each is kept until its last chunk has been sent."""
    line, made = Slow(hub), 0

    def big() -> bytes:
        nonlocal made
        made += 1
        return bytes(SIZE)

    hub.service.methods.add(Method("test.big", big))
    line.hello()
    line.messages.clear()
    for _ in range(60):
        line.call("test.big")
    while len(line.messages) < 60:
        kept = made - len(line.messages)
        assert (kept - 3) * (SIZE + OVERHEAD) <= MOST  # the largest does not count, one may exceed it, one ends
        line.take_one()
        await asyncio.sleep(0)  # calls that waited are taken
    assert made == 60
