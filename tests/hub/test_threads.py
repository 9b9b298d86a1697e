"""Shares of a pool of threads."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from wslink.hub.threads import SharedThreads


@pytest.fixture
async def threads() -> AsyncIterator[SharedThreads]:
    shared = SharedThreads(ThreadPoolExecutor, 4)
    yield shared
    shared.shutdown()


async def test_what_a_function_returns_and_raises_comes_back(threads: SharedThreads) -> None:
    assert await threads.run("a", lambda: threading.get_ident()) != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await threads.run("a", lambda: 1 / 0)
    with pytest.raises(RuntimeError, match="StopIteration"):
        await threads.run("a", lambda: next(iter(())))


async def test_a_client_has_three_quarters_of_the_threads(threads: SharedThreads) -> None:
    running = most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1

    await asyncio.gather(*(threads.run("a", work) for _ in range(12)))
    assert most == 3


async def test_what_is_cancelled_while_it_waits_is_not_kept(threads: SharedThreads) -> None:
    """CAN-2."""
    gate, begun = threading.Event(), list[int]()
    running = [threads.run("a", gate.wait) for _ in range(3)]
    kept = []
    for _ in range(100):
        function = functools.partial(begun.append, 1)
        kept.append(weakref.ref(function))
        threads.run("a", function).cancel()
    del function
    await asyncio.sleep(0.01)
    gc.collect()
    assert [reference for reference in kept if reference() is not None] == []
    gate.set()
    await asyncio.gather(*running)
    assert await threads.run("a", lambda: 1) == 1
    assert begun == []


async def test_one_call_of_each_client_begins_at_once(threads: SharedThreads) -> None:
    gate = threading.Event()
    slow = [threads.run(client, gate.wait) for client in "abc" for _ in range(10)]
    await asyncio.wait_for(threads.run("d", lambda: None), 2)
    gate.set()
    await asyncio.gather(*slow)


async def test_what_is_cancelled_before_it_begins_never_begins(threads: SharedThreads) -> None:
    gate, begun = threading.Event(), []
    slow = [threads.run("a", gate.wait) for _ in range(3)]
    waiting = [threads.run("a", lambda: begun.append(1)) for _ in range(100)]
    for future in waiting[:-1]:
        future.cancel()
    gate.set()
    await asyncio.gather(*slow, waiting[-1])
    assert begun == [1]


async def test_clients_take_turns(threads: SharedThreads) -> None:
    order: list[str] = []
    gate = threading.Event()
    blockers = [threads.run("x", gate.wait) for _ in range(3)]
    jobs = [threads.run("x", lambda: (time.sleep(0.001), order.append("x"))) for _ in range(50)]
    more = [threads.run("y", lambda: (time.sleep(0.001), order.append("y"))) for _ in range(5)]
    gate.set()
    await asyncio.gather(*blockers, *jobs, *more)
    assert order.index("y") < 20
