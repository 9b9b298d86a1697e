"""What a server runs beside its event loop: handlers, threads, and what ends with it."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from wslink.hub import work as works
from wslink.hub.placement import Placement
from wslink.hub.pool import DaemonPool, default_threads
from wslink.hub.threads import SharedThreads
from wslink.hub.work import Work, end_tasks
from wslink.rpc.call import Call, current_call
from wslink.rpc.ordering import ResponseFirst


def test_so_many_threads_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, threads in ((None, 16), (1, 16), (12, 16), (13, 17), (28, 32), (64, 32)):
        monkeypatch.setattr(os, "cpu_count", lambda processors=processors: processors)
        assert default_threads() == threads


def test_a_pool_starts_threads_as_they_are_needed() -> None:
    pool, gate = DaemonPool(2), threading.Event()
    assert pool.submit(lambda a, b: a + b, 1, b=2).result(5) == 3
    waiting = [pool.submit(gate.wait, 5) for _ in range(3)]
    late = pool.submit(lambda: 7)
    names = sorted(one.name for one in threading.enumerate() if one.name.startswith("wslink_"))
    assert len([one for one in pool._workers if one.daemon]) == 2
    assert {"wslink_0", "wslink_1"} <= set(names)
    assert late.cancel()
    gate.set()
    assert [one.result(5) for one in waiting] == [True] * 3
    failing: Future[Any] = pool.submit(lambda: 1 / 0)
    assert isinstance(failing.exception(5), ZeroDivisionError)
    pool.shutdown()
    with pytest.raises(RuntimeError) as caught:
        pool.submit(lambda: 1)
    assert str(caught.value) == "the pool is shut down"
    assert not any(worker.is_alive() for worker in pool._workers)


def test_a_pool_that_is_shut_down_cancels_what_waits() -> None:
    for cancels in (True, False):
        pool, gate = DaemonPool(1), threading.Event()
        first, second = pool.submit(gate.wait, 5), pool.submit(lambda: 7)
        while not first.running():
            pass
        pool.shutdown(False, cancel_futures=cancels)
        assert second.cancelled() is cancels
        gate.set()
        assert first.result(5)
        assert cancels or second.result(5) == 7


class Threads:
    """An executor that runs nothing until it is told."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.jobs: list[tuple[Future[Any], Any]] = []
        self.shut: Any = None

    def submit(self, function: Any, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: function(*args)))
        return future

    def shutdown(self, wait: bool = True, cancel_futures: bool = False) -> None:
        self.shut = (wait, cancel_futures)

    async def run(self, count: int = 1) -> None:
        for _ in range(count):
            future, function = self.jobs.pop(0)
            future.set_result(function())
        for _ in range(3):
            await asyncio.sleep(0)


async def test_threads_are_shared_among_clients() -> None:
    made: list[Threads] = []
    shared = SharedThreads(lambda size: made.append(Threads(size)) or made[0], 4)  # type: ignore[func-returns-value,arg-type,return-value]
    [pool] = made
    assert pool.size == 8
    ran: list[str] = []
    futures = {}
    for client, count in (("a", 5), ("b", 3), ("c", 1)):
        for n in range(count):
            name = f"{client}{n}"
            futures[name] = shared.run(client, lambda name=name: ran.append(name) or name)  # type: ignore[func-returns-value,misc]
    assert len(pool.jobs) == 5  # three of a, who has its share; then one of each other
    await pool.run(5)
    assert ran == ["a0", "a1", "a2", "b0", "c0"]
    await pool.run(len(pool.jobs))
    await pool.run(len(pool.jobs))
    assert sorted(ran[5:]) == ["a3", "a4", "b1", "b2"]
    assert [future.result() for future in futures.values()] == list(futures)
    futures["x"] = shared.run("x", lambda: 1)
    waiting = [shared.run("y", lambda: 2) for _ in range(9)]
    shared.shutdown()
    assert pool.shut == (False, True)
    assert any(one.cancelled() for one in waiting)


async def test_a_function_in_a_thread_knows_its_call() -> None:
    work, variable = Work(), contextvars.ContextVar("variable", default=0)
    work.set_threads(1)
    variable.set(5)
    found = await work.in_thread(lambda: (variable.get(), threading.get_ident()))
    assert (found[0], found[1] != threading.get_ident()) == (5, True)
    with pytest.raises(ZeroDivisionError):
        await work.in_thread(lambda: 1 / 0)
    with pytest.raises(RuntimeError) as caught:
        await work.in_thread(lambda: next(iter(())))
    assert str(caught.value) == "it raised StopIteration()"
    await work.stop(0.1)


async def test_handlers_run_outside_of_calls_and_their_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    work, seen = Work(), list[Any]()
    token = current_call.set(Call(None, "a.b", None, "1"))  # type: ignore[arg-type]

    async def later(argument: str) -> None:
        seen.append((argument, current_call.get()))
        raise ValueError("later")

    def now(argument: str) -> None:
        seen.append((argument, current_call.get()))
        raise ValueError("now")

    work.handle(now, "x")
    work.handle(later, "y")
    assert current_call.get() is not None
    current_call.reset(token)
    await asyncio.sleep(0.001)
    assert seen == [("x", None), ("y", None)]
    assert caplog.messages == [f"{now!r} raised", f"{later!r} raised"]
    await work.stop(0.1)


async def test_what_runs_ends_with_the_server(caplog: pytest.LogCaptureFixture) -> None:
    work, ended = Work(), list[str]()

    async def quick() -> None:
        await asyncio.sleep(0.01)
        ended.append("quick")

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("slow")

    for each in (quick, slow):
        work.spawn(each())
    await work.stop(0.05)
    assert ended == ["quick", "slow"]

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if "enough" in ended:
                    raise

    task = asyncio.ensure_future(stubborn())
    await end_tasks(set(), 0, 0)
    await end_tasks({task}, 0.01, 0)
    assert caplog.messages == [f"not waited for any longer, although it goes on after it was cancelled: {task!r}"]
    assert task in works.abandoned
    ended.append("enough")
    task.cancel()
    await asyncio.wait({task})


class Here(Placement):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.service: Any = type("Service", (), {"ordering": ResponseFirst(), "debug": False})()


async def test_where_the_work_of_a_server_is_done() -> None:
    here, seen = Here(), list[Any]()

    async def give() -> int:
        return 5

    here.submit(lambda: seen.append("early"))
    here.to_loop(lambda: seen.append("unbound"))
    assert (seen, here.is_bound, here.on_its_thread) == (["early", "unbound"], False, False)
    here.bind()
    assert (here.is_bound, here.on_its_thread, here.is_application_behind()) == (True, True, False)
    for place in (here.on_loop, here.to_loop, here.in_application, here.submit):
        place(lambda: seen.append(threading.get_ident()))
    assert seen[2:] == [threading.get_ident()] * 4
    assert (await here.on_loop_await(give()), here.perform(lambda: 7)) == (5, 7)
    assert here.unannounced(None) == 0  # type: ignore[arg-type]

    def elsewhere() -> None:
        current_call.set(Call(None, "a.b", None, "1"))  # type: ignore[arg-type]
        for place in (here.to_loop, here.submit):
            place(lambda: seen.append((threading.get_ident(), current_call.get())))
        seen.append("posted")

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen[6:] == ["posted"]
    await asyncio.sleep(0.001)
    assert seen[7:] == [(threading.get_ident(), None)] * 2
    here.detach()
    assert (here.is_bound, here.on_its_thread) == (False, False)
