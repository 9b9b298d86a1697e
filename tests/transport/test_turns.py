"""Who goes on when, of connections that are read and written to in coroutines (TURN-1)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from wslink.transport.turns import TURN, Share

STEPS: Counter[str] = Counter()


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


async def work(name: str, seconds: float) -> None:
    """A connection whose messages have come already, each of which takes so long."""
    share = Share()
    while True:
        share.begin()
        burn(seconds)
        STEPS[name] += 1
        if share.is_over():
            await share.turn()


@asynccontextmanager
async def working(connections: Sequence[tuple[str, float]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    STEPS.clear()
    tasks = [asyncio.ensure_future(work(*one)) for one in connections]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_who_takes_little_goes_on_at_once_however_many_take_much() -> None:
    async with working([("much", TURN / 2)] * 30):
        share, before, turns = Share(), STEPS["much"], 40
        for _ in range(turns):
            share.begin()
            burn(TURN / 100)
            assert not share.is_over()
            await asyncio.sleep(0)
        assert STEPS["much"] - before <= 4 * turns


async def test_those_that_take_much_take_as_much_time_whatever_one_message_takes() -> None:
    async with working([("small", TURN / 10), ("large", 2 * TURN)]):
        for _ in range(60):
            await asyncio.sleep(0)
        small, large = STEPS["small"] * TURN / 10, STEPS["large"] * 2 * TURN
        assert 0.5 < small / large < 2, STEPS


async def test_alone_a_connection_goes_on_in_each_turn() -> None:
    async with working([("alone", TURN / 4)]):
        before = STEPS["alone"]
        for _ in range(20):
            await asyncio.sleep(0)
        assert STEPS["alone"] - before >= 40


async def test_a_connection_that_ends_while_it_waits_holds_up_nobody() -> None:
    async with working([(str(number), TURN) for number in range(4)]) as tasks:
        for task in tasks[:3]:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tasks[0]
        before = STEPS["3"]
        for _ in range(10):
            await asyncio.sleep(0)
        assert STEPS["3"] - before >= 5


async def test_time_without_others_is_not_held_against_a_connection() -> None:
    share = Share()
    for _ in range(50):
        share.begin()
        burn(TURN)
        if share.is_over():
            await share.turn()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    async with working([("other", TURN)]):
        began = STEPS["other"]
        share.begin()
        burn(TURN)
        if share.is_over():
            await share.turn()
        assert STEPS["other"] - began <= 4
