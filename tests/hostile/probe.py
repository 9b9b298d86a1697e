"""A well-behaved client beside an attack, and what the attacked process costs."""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from tests.hostile.sockets import Ended, Target, WebSocket

EVERY = 0.02
GIVE_UP = 6.0
KEPT = 20
"""The longest waits that are known one by one."""


class Wait(NamedTuple):
    """Attributes:
    seconds: for which a call waited for its answer.
    processor: the processor time that the server's process took meanwhile, in seconds.
    at: when it began, by the monotonic clock.
    """

    seconds: float
    processor: float
    at: float


class Probe(threading.Thread):
    """Calls a method every 20 ms, from a thread of its own.

    Attributes:
        longest: the longest wait for an answer, in seconds.
        processor: the processor time that the server's process took during that wait, in seconds.
        answered: calls that were answered.
        waits: the longest ones, in no order.
        failed: what ended it, where an honest client was cut off or a call was not answered; "" otherwise.
    """

    def __init__(self, target: Target, process: int, method: str = "test.quick") -> None:
        super().__init__(daemon=True)
        self.longest = self.processor = 0.0
        self.answered = 0
        self.waits: list[Wait] = []
        self.failed = ""
        self._method = method
        self._clock = processor_clock(process)
        self._over = threading.Event()
        self._socket = WebSocket.open(target, timeout=GIVE_UP)
        self._socket.hello()

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._measure()
                time.sleep(EVERY)
        except (Ended, TimeoutError, AssertionError, OSError) as error:
            self.failed = f"after {self.answered} calls: {error!r}"
        self._socket.close()

    def stop(self) -> None:
        self._over.set()
        self.join(GIVE_UP + 5)

    def _measure(self) -> None:
        start, spent = time.monotonic(), self._clock()
        self._socket.call(self._method)
        wait = Wait(time.monotonic() - start, self._clock() - spent, start)
        self.answered += 1
        if wait.seconds > self.longest:
            self.longest, self.processor = wait.seconds, wait.processor
        if len(self.waits) < KEPT:
            heapq.heappush(self.waits, wait)
        else:
            heapq.heappushpop(self.waits, wait)


def processor_clock(process: int) -> Callable[[], float]:
    """Reads the processor time of a process, in seconds: man clock_getcpuclockid."""
    clock = (~process << 3) | 2

    def read() -> float:
        try:
            return time.clock_gettime(clock)
        except OSError:  # it has ended
            return 0.0

    return read


class Meter(threading.Thread):
    """Watches a process.

    Attributes:
        before: resident bytes when it began.
        now: resident bytes.
        most: the most resident bytes since it began.
    """

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(process)
        self._clock = processor_clock(process)
        self._over = threading.Event()
        self.before = self.now = self.most = self._process.memory_info().rss
        self._spent = self._clock()

    @property
    def growth(self) -> int:
        return self.most - self.before

    @property
    def processor(self) -> float:
        """Processor time since it began, in seconds."""
        return self._clock() - self._spent

    def run(self) -> None:
        while not self._over.wait(0.01):
            try:
                self.now = self._process.memory_info().rss
                self.most = max(self.most, self.now)
            except psutil.Error:
                return

    def stop(self) -> None:
        self._over.set()
        self.join()


def load() -> float:
    """Processes that want to run, per processor."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)
