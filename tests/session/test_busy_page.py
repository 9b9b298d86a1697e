"""A page that is busy all the time, and takes some of what has arrived in between, in virtual time."""

from __future__ import annotations

import random
from collections import deque

from tests.session.test_congestion import MBIT, Line, Sender

DUE = 65536
"""Bytes that are acknowledged at once (FLOW-3)."""


class BusyPage(Sender):
    """A page that works for about `period` seconds at a time. In between it processes the messages that have arrived,
    up to `most` bytes, as a browser does that reads what a pipe of its network process holds, and acknowledges them."""

    def __init__(self, line: Line, period: float, most: int, seed: int) -> None:
        super().__init__(line)
        self.period, self.most = period, most
        self.random = random.Random(seed)
        self.waiting: deque[int] = deque()
        self.acknowledged = 0
        self.at(0.0, "turn", 0)

    def _arrive(self, now: float, size: float) -> None:
        self.waiting.append(int(size))

    def _turn(self, now: float, _: float) -> None:
        taken = 0
        while self.waiting and (not taken or taken + self.waiting[0] <= self.most):
            size = self.waiting.popleft()
            taken += size
            self.arrived += size
            self.run.received.append((now, size))
            if self.arrived - self.acknowledged >= DUE:
                self._say(now)
        self._say(now)
        self.at(now + self.period * self.random.uniform(0.8, 1.2), "turn", 0)

    def _say(self, now: float) -> None:
        if self.arrived > self.acknowledged:
            self.acknowledged = self.arrived
            self.at(now + self.line.delay, "acknowledge", self.arrived)


def test_a_page_that_is_always_busy_gets_what_it_can_take() -> None:
    """What it acknowledges is late because it was busy, which is no sign of a queue; and where nothing is left in
    flight, the line stands idle until the next turn of the page."""
    period, most = 0.3, 512 * 1024
    found = []
    for seed in range(1, 5):
        run = BusyPage(Line(100 * MBIT, 0.002), period, most, seed).until(8)
        found.append(run.rate(4, 8) / (most / period))
    assert sum(found) / len(found) > 0.55, found
