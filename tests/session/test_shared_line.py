"""Several senders over one line, each with a congestion controller of its own, in virtual time (FLOW-4)."""

from __future__ import annotations

import heapq
import itertools
import math

import pytest

from tests.session.test_congestion import MBIT, Line
from wslink.session.congestion import CongestionController

END = 100.0
"""Seconds that a simulation takes."""


class Shared:
    """A line and those who send over it without a pause, from `starts` on. What waits in front of it has no bound, as
    in a notebook's server.

    Attributes:
        controllers: one for each sender.
        arrived: bytes of each that have passed.
        queues: times, and seconds that what is sent then waits.
    """

    def __init__(self, line: Line, starts: list[float]) -> None:
        self.line = line
        self.controllers = [CongestionController(start) for start in starts]
        self.arrived = [0] * len(starts)
        self.queues: list[tuple[float, float]] = []
        self._sent = [0] * len(starts)
        self._woken = [math.inf] * len(starts)
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, int, int]] = []
        for who, start in enumerate(starts):
            self._at(start, who, 0)

    def _at(self, time: float, who: int, total: int) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), who, total))

    def until(self, end: float) -> None:
        while self._events and self._events[0][0] <= end:
            now, _, who, total = heapq.heappop(self._events)
            if total:
                self.arrived[who] = total
                self.controllers[who].acknowledged(now, total)
            elif now >= self._woken[who]:
                self._woken[who] = math.inf
            self._send(now, who)

    def _send(self, now: float, who: int) -> None:
        controller, line = self.controllers[who], self.line
        while (wait := controller.delay(now)) == 0:
            size = controller.chunk_size
            controller.sent(now, size)
            self._sent[who] += size
            self.queues.append((now, line.queued(now) / line.rate))
            self._at(line.send(now, size) + line.delay, who, self._sent[who])
        if now + wait < self._woken[who]:
            self._woken[who] = now + max(wait, 0.0005)
            self._at(self._woken[who], who, 0)

    def queue(self, start: float, end: float) -> float:
        """The median of what waits, in seconds."""
        found = sorted(queue for time, queue in self.queues if start <= time < end)
        return found[len(found) // 2]


@pytest.mark.parametrize(("mbit", "round_trip", "count"), [(8, 0.04, 2), (20, 0.08, 3), (8, 0.004, 2)], ids=str)
def test_none_takes_the_queue_of_the_others_for_the_length_of_the_line(
    mbit: int, round_trip: float, count: int
) -> None:
    """FLOW-4: what waits grew by half a second in three minutes."""
    line = Line(mbit * MBIT, round_trip / 2)
    shared = Shared(line, [0.3 * number for number in range(count)])
    shared.until(END)
    assert shared.queue(END - 30, END) < 0.07
    assert max(one.min_rtt for one in shared.controllers) < round_trip + 0.07
    assert sum(shared.arrived) > 0.95 * END * line.rate


def test_a_probe_costs_a_line_of_ones_own_little() -> None:
    line = Line(20 * MBIT, 0.04)
    shared = Shared(line, [0.0])
    shared.until(END)
    assert shared.arrived[0] > 0.96 * END * line.rate
