"""A thread pool for methods that block."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Job = tuple["Future[Any]", Callable[[], Any]]


def default_threads() -> int:
    """The default size of a pool: 4 more than there are processors, from 16 to 32."""
    return max(16, min(32, (os.cpu_count() or 1) + 4))


class DaemonPool(ThreadPoolExecutor):
    """An executor with daemon threads: those of the standard library keep the process alive.

    It derives from ThreadPoolExecutor because event loops require that of their default executor, but uses none of it.

    Args:
        size: the maximum number of threads. They are started on demand.
    """

    def __init__(self, size: int) -> None:
        super().__init__(max_workers=size)
        self._size = size
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._free = threading.Semaphore(0)
        self._guard = threading.RLock()
        self._workers: list[threading.Thread] = []
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        with self._guard:
            if self._closed:
                raise RuntimeError("the pool is shut down")
            self._jobs.put((future, partial(fn, *args, **kwargs)))
            if not self._free.acquire(blocking=False) and len(self._workers) < self._size:
                worker = threading.Thread(target=self._work, name=f"wslink_{len(self._workers)}", daemon=True)
                self._workers.append(worker)
                worker.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self._guard:
            self._closed = True
            if cancel_futures:
                self._cancel()
            for _ in self._workers:
                self._jobs.put(None)
        if wait:
            for worker in self._workers:
                worker.join()

    def _cancel(self) -> None:
        while not self._jobs.empty():
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                job[0].cancel()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, call = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(call())
                except BaseException as error:
                    future.set_exception(error)
            del job, future, call  # release them before waiting for the next job

    def _next(self) -> Job | None:
        try:
            return self._jobs.get_nowait()
        except queue.Empty:
            self._free.release()
            return self._jobs.get()
