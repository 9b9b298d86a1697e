"""Flow control against a client that acknowledges and settles what it likes, whenever it likes, in virtual time. What
it says never makes a number that cannot be used; and once it is honest, it is sent everything that waits for it.

The input is a list of steps of four bytes: what happens, and three bytes for how much of it.
"""

from __future__ import annotations

import asyncio
import atexit
import heapq
import itertools
import math
from collections.abc import Callable
from typing import Any
from unittest import mock

from tests.session.queueing import Line, large, small
from wslink.session import flow as flows
from wslink.session.congestion import MAX_CHUNK, MIN_CHUNK
from wslink.session.entries import Entry
from wslink.session.flow import FlowControl
from wslink.session.send_queue import SendQueue
from wslink.session.window import MAX_WINDOW

PUT, PUT_LARGE, ACKNOWLEDGE, SETTLE, WAIT, OPEN, CLOSE, LOSE = range(8)
SUBSCRIPTIONS = 4
CHOSEN = (None, 1, 1024)
RATES = (None, 0.001, 1000.0)
HELD = (0, 1, 60_000, 2**63)
WAITS = (0.0, 1e-6, 0.001, 0.03, 1.0, 40.0, 3_600.0, 1e7)
MOST_STEPS, ROUNDS = 400, 4_000


def _step(kind: int, first: int = 0, second: int = 0, third: int = 0) -> bytes:
    return bytes((kind, first, second, third))


SEEDS = [
    _step(OPEN) + _step(PUT, 1) + _step(WAIT, 3) + _step(ACKNOWLEDGE, 255, 255) + _step(SETTLE, 0, 1),
    _step(PUT_LARGE, 60) + b"".join(_step(WAIT, 2) + _step(ACKNOWLEDGE, n, 64, n) for n in range(60)),
    _step(OPEN, 0, 1, 1) + _step(PUT, 0) * 3 + _step(WAIT, 6) + _step(SETTLE, 0, 1) + _step(CLOSE, 0) + _step(LOSE),
    b"".join(_step(OPEN, n, n % 3, n % 2) for n in range(4)) + _step(PUT, 4) * 9 + _step(SETTLE, 1, 255, 2) * 4,
    _step(PUT_LARGE, 255) + _step(WAIT, 4) + _step(ACKNOWLEDGE, 255, 0, 2) + _step(WAIT, 7) + _step(ACKNOWLEDGE, 9, 9),
    _step(PUT_LARGE, 9) + _step(LOSE) + _step(PUT_LARGE, 9) + _step(ACKNOWLEDGE, 255, 255, 3) * 3,
]


class _Clock:
    """Virtual time, and the calls that are due in it."""

    def __init__(self) -> None:
        self.now = 100.0
        self._due: list[tuple[float, int, asyncio.Handle]] = []
        self._numbers = itertools.count()

    def call_later(self, delay: float, function: Callable[..., Any], *args: Any) -> asyncio.Handle:
        assert 0 <= delay < math.inf
        handle = asyncio.Handle(function, args, LOOP)
        heapq.heappush(self._due, (self.now + delay, next(self._numbers), handle))
        return handle

    def read(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self._due and self._due[0][0] <= end:
            self.now, _, handle = heapq.heappop(self._due)
            if not handle.cancelled():
                handle._run()
        self.now = end


class _Client:
    """A client, and the server's end of its connection."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock
        self.queue = SendQueue(10**9)
        self.line = Line()
        self.flow = FlowControl(self.queue, self.line, lambda message: True, self.pump)

    def pump(self) -> None:
        self.flow.pump()

    def step(self, kind: int, first: int, second: int, third: int) -> None:
        flow, subscription = self.flow, first % SUBSCRIPTIONS
        if kind == PUT:
            self._put(flow.gates(tuple(range(first % (SUBSCRIPTIONS + 1)))))
        elif kind == PUT_LARGE:
            self.queue.put(Entry(large("a", 16_500 + first * 2_000)))
            self.pump()
        elif kind == ACKNOWLEDGE:
            total = first * self.line.total // 254 if second < 128 else flow.line.delivered + first
            flow.acknowledged(total, HELD[third % len(HELD)])
        elif kind == SETTLE:
            window = flow.windows.get(subscription)
            flow.settled(subscription, (window.settled if window else 0) + second, 2 ** (third % 64))
        elif kind == WAIT:
            self.clock.wait(WAITS[first % len(WAITS)])
        elif kind == OPEN:
            flow.open_window(subscription, CHOSEN[second % 3], RATES[third % 3])
        elif kind == CLOSE:
            flow.close_window(subscription)
            self.pump()
        else:
            self.queue.interrupt()
            self.line = Line()
            flow.move(self.line)
        self.check()

    def _put(self, gates: tuple[Any, ...]) -> None:
        now = self.clock.now
        key = object() if gates else None
        self.queue.put(Entry(small("x" * 100), key, ("t",), gates, lambda entry: self.flow.begin(entry, now, None)))
        self.pump()

    def check(self) -> None:
        line = self.flow.line
        assert MIN_CHUNK <= line.chunk_size <= MAX_CHUNK
        assert 0 < line.window < 2**62
        assert line.delay(self.clock.now) >= 0
        assert 0 <= line.in_flight <= line.sent_bytes == self.line.total
        assert line.rate >= 0
        assert line.min_rtt > 0
        for window in self.flow.windows.values():
            assert 1 <= window.size <= max(MAX_WINDOW, 1024)
            assert 0 <= window.settled <= window.count

    def drain(self) -> None:
        """Be honest from now on."""
        for _ in range(ROUNDS):
            if not self.queue.waiting:
                return
            self.clock.wait(0.05)
            self.flow.acknowledged(self.line.total, 0)
            for number, window in list(self.flow.windows.items()):
                self.flow.settled(number, window.count, 0)
                if window.resting:  # for as long as the client chose
                    self.clock.wait(window.interval)
            self.check()
        raise AssertionError(f"{self.queue.waiting} bytes wait for an honest client")


LOOP = asyncio.new_event_loop()
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    clock = _Clock()
    with (
        mock.patch.object(flows, "monotonic", clock.read),
        mock.patch.object(LOOP, "call_later", clock.call_later),
    ):
        LOOP.run_until_complete(_act(data[: 4 * MOST_STEPS], clock))


async def _act(data: bytes, clock: _Clock) -> None:
    client = _Client(clock)
    for at in range(0, len(data) - 3, 4):
        kind, first, second, third = data[at : at + 4]
        client.step(kind % 8, first, second, third)
    client.drain()
    client.flow.stop()
