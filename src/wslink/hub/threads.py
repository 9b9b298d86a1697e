"""Fair use of a thread pool: one client's calls do not block those of another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Any

Jobs = dict["asyncio.Future[Any]", Callable[[], Any]]
Outcome = tuple[Any, BaseException | None]


class SharedThreads:
    """Runs functions in threads, those of each client within its share, taking turns among clients.

    A client may use at most three quarters of the threads. A client that has no function running may start one at once:
    for that purpose there are twice as many threads. Use it on the event loop's thread.

    Args:
        pool: creates the executor with the given number of threads, when the first function runs.
        size: the number of threads.
    """

    def __init__(self, pool: Callable[[int], Executor], size: int) -> None:
        self._pool = pool(2 * size)
        self._size = size
        self._share = max(1, size * 3 // 4)
        self._running: dict[Hashable, int] = {}
        self._total = 0
        self._waiting: dict[Hashable, Jobs] = {}  # the next client first

    def run(self, client: Hashable, function: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run `function` for `client`. If it is cancelled before it has begun, it never runs."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if client not in self._waiting and self._may_begin(client):
            self._begin(client, future, function)
        else:
            self._waiting.setdefault(client, {})[future] = function
            future.add_done_callback(lambda _: self._forget(client, future))
        return future

    def shutdown(self) -> None:
        """Start no more functions. Running ones are not waited for."""
        for jobs in self._waiting.values():
            for future in jobs:
                future.cancel()
        self._waiting.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _forget(self, client: Hashable, future: asyncio.Future[Any]) -> None:
        """A function has ended, or will not begin."""
        jobs = self._waiting.get(client, {})
        if jobs.pop(future, None) is not None and not jobs:
            del self._waiting[client]

    def _may_begin(self, client: Hashable) -> bool:
        running = self._running.get(client, 0)
        return self._total < (self._size if running else 2 * self._size) and running < self._share

    def _begin(self, client: Hashable, future: asyncio.Future[Any], function: Callable[[], Any]) -> None:
        self._running[client] = self._running.get(client, 0) + 1
        self._total += 1
        work = asyncio.get_running_loop().run_in_executor(self._pool, _outcome, function)
        work.add_done_callback(lambda done: self._ended(client, future, done))

    def _ended(self, client: Hashable, future: asyncio.Future[Any], done: asyncio.Future[Outcome]) -> None:
        self._total -= 1
        self._running[client] -= 1
        if not self._running[client]:
            del self._running[client]
        if done.cancelled():
            future.cancel()
        elif not future.done():
            value, error = done.result()
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
        self._begin_next()

    def _begin_next(self) -> None:
        """Start as many functions as possible, taking turns among clients."""
        for client in list(self._waiting):
            jobs = self._waiting.pop(client)
            future = next((future for future in jobs if not future.done()), None)
            if future is not None and self._may_begin(client):
                self._begin(client, future, jobs.pop(future))
            if jobs:
                self._waiting[client] = jobs
            if self._total >= 2 * self._size:
                return


def _outcome(function: Callable[[], Any]) -> Outcome:
    """Return the result of `function`, or its exception: futures do not accept StopIteration, and SystemExit ends
    threads."""
    try:
        return function(), None
    except StopIteration as error:
        return None, RuntimeError(f"it raised {error!r}")
    except BaseException as error:
        return None, error
