"""What may wait for each client of many, and how what waited for those that have gone is forgotten (LIM-6, TURN-2)."""

from __future__ import annotations

import asyncio

import pytest

from tests.hub.test_kept import backlog, small
from wslink.hub import backlog as counting
from wslink.hub.backlog import FORGET_EVERY, Backlog
from wslink.hub.shares import LEAST_SHARE
from wslink.session.entries import Entry
from wslink.session.send_queue import OVERHEAD, SendQueue
from wslink.wire.limits import Limits

MIB = 1024 * 1024


def queue(ledger: Backlog, count: int, size: int = 0) -> SendQueue:
    """One in which so many messages wait."""
    made = SendQueue(10**9, None, ledger)
    for _ in range(count):
        made.put(Entry(small(size)))
    return made


def test_a_client_has_its_share_where_much_waits_for_all() -> None:
    counted, _ = backlog(max_outbox=16 * MIB, max_server_outbox=20 * MIB)
    assert counted.share == 16 * MIB
    first = queue(counted, 1, 20 * MIB - OVERHEAD)
    assert counted.share == 16 * MIB
    second, third = queue(counted, 2), queue(counted, 1)
    assert (counted.queues, counted.share) == (3, (20 * MIB - 4 * 3 * OVERHEAD) // 3)
    third.next(100)
    assert (counted.queues, counted.share) == (2, 10 * MIB - 4 * OVERHEAD)
    second.next(100)
    assert (counted.queues, counted.share) == (2, 10 * MIB - 2 * OVERHEAD)
    second.clear()
    assert (counted.queues, counted.share) == (1, 16 * MIB)
    more = [queue(counted, 1) for _ in range(100)]
    assert counted.share == LEAST_SHARE
    first.clear()
    assert (len(more), counted.queues, counted.share) == (100, 100, 16 * MIB)


def test_a_share_is_never_more_than_a_client_may_have() -> None:
    counted, _ = backlog(max_outbox=1000, max_server_outbox=2000)
    waits = [queue(counted, 2) for _ in range(3)]
    assert (len(waits), counted.queues, counted.share) == (3, 3, 1000)


def test_a_message_that_takes_the_place_of_another_counts_as_one() -> None:
    counted, _ = backlog()
    waits = SendQueue(10**9, None, counted)
    for size in (10, 20_000, 10):
        waits.put(Entry(small(size), "key"))
        assert counted.queues == 1
    waits.next(100)
    assert (counted.queues, counted.bytes) == (0, 0)


async def test_what_waited_for_clients_that_have_gone_is_forgotten_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """TURN-1: however much that is, others are served meanwhile."""
    monkeypatch.setattr(counting, "FORGET_TIME", -1.0)
    counted, _ = backlog()
    queues, turns = [queue(counted, 3 * FORGET_EVERY) for _ in range(4)], 0
    for one in queues:
        one.clear()
    assert (counted.queues, counted.bytes) == (0, 11 * FORGET_EVERY * OVERHEAD)
    while counted.bytes:
        before = counted.bytes
        await asyncio.sleep(0)
        assert before - counted.bytes <= FORGET_EVERY * OVERHEAD
        turns += 1
    assert turns < 20


def test_where_no_event_loop_runs_all_is_forgotten_at_once() -> None:
    counted, _ = backlog()
    queue(counted, 10 * FORGET_EVERY).clear()
    assert counted.bytes == 0


def test_another_event_loop_goes_on_where_one_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FORGET_TIME", -1.0)
    counted, _ = backlog()

    async def clear() -> None:
        queue(counted, 100 * FORGET_EVERY).clear()

    asyncio.run(clear())
    assert counted.bytes > 0

    async def go_on() -> None:
        await clear()
        while counted.bytes:
            await asyncio.sleep(0)

    asyncio.run(go_on())
    assert counted.bytes == 0


async def test_what_is_still_to_be_forgotten_is_no_reason_to_disconnect_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counting, "FORGET_TIME", -1.0)
    counted, shed = backlog(max_server_backlog=10 * FORGET_EVERY * OVERHEAD)
    gone, stays = queue(counted, 6 * FORGET_EVERY), queue(counted, 4 * FORGET_EVERY)
    gone.clear()
    more = queue(counted, 3 * FORGET_EVERY)
    assert counted.over
    await asyncio.sleep(0)
    assert (shed, len(stays), len(more)) == ([], 4 * FORGET_EVERY, 3 * FORGET_EVERY)


async def test_no_more_clients_are_disconnected_than_have_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FORGET_TIME", -1.0)
    waits: list[SendQueue] = []

    def shed() -> None:
        while counted.over:
            waits.pop(0).clear()

    limits = Limits(max_server_backlog=20 * FORGET_EVERY * OVERHEAD)
    counted = Backlog(lambda: limits, shed)
    waits += [queue(counted, 8 * FORGET_EVERY) for _ in range(3)]
    await asyncio.sleep(0)
    assert len(waits) == 2
