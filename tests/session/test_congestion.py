"""The congestion controller over simulated lines, in virtual time."""

from __future__ import annotations

import heapq
import itertools
import json
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wslink.session.congestion import FAST, MAX_CHUNK, MIN_CHUNK, CongestionController

MBIT = 125_000
KERNEL = 128 * 1024


@dataclass
class Line:
    """A line with a rate (bytes per second), a one-way delay and a buffer in front of it, as TCP shows it."""

    rate: float
    delay: float
    buffer: int = 256 * 1024
    jitter: float = 0.0
    free_at: float = 0.0
    random: random.Random = field(default_factory=lambda: random.Random(1))
    _last: float = 0.0

    def writable(self, now: float) -> bool:
        return self.queued(now) < self.buffer + KERNEL

    def queued(self, now: float) -> float:
        return max(self.free_at - now, 0.0) * self.rate

    def send(self, now: float, size: int) -> float:
        """When the last byte arrives."""
        self.free_at = max(self.free_at, now) + size / self.rate
        arrival = self.free_at + self.delay + self.random.random() * self.jitter
        self._last = max(self._last, arrival)
        return self._last


@dataclass
class Run:
    """What a sender did on a line."""

    controller: CongestionController
    received: list[tuple[float, int]] = field(default_factory=list)
    queues: list[tuple[float, float]] = field(default_factory=list)

    def rate(self, start: float, end: float) -> float:
        return sum(size for time, size in self.received if start <= time < end) / (end - start)

    def delay_by_queue(self, start: float, end: float, line: Line) -> float:
        """The 95th percentile of what a small message would have waited for, in seconds."""
        found = sorted(queue for time, queue in self.queues if start <= time < end)
        return found[int(len(found) * 0.95)]


class Sender:
    """Sends as much over a line as its controller lets go."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.run = Run(CongestionController(0.0))
        self.arrived = 0
        self._numbers = itertools.count()
        self._events: list[tuple[float, int, str, float]] = []
        self.at(0.0, "wake", 0)

    def at(self, time: float, kind: str, value: float) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), kind, value))

    def until(self, end: float) -> Run:
        while self._events and self._events[0][0] <= end:
            now, _, kind, value = heapq.heappop(self._events)
            getattr(self, f"_{kind}")(now, value)
            self.send(now)
        return self.run

    def put(self, now: float, size: int) -> None:
        self.run.controller.sent(now, size)
        self.run.queues.append((now, self.line.queued(now) / self.line.rate))
        self.at(self.line.send(now, size), "arrive", size)

    def send(self, now: float) -> None:
        line, controller = self.line, self.run.controller
        while line.writable(now) and controller.delay(now) == 0:
            self.put(now, controller.chunk_size)
        wait = controller.delay(now)
        if not line.writable(now):
            wait = max(wait if wait < math.inf else 0.0, (line.queued(now) - line.buffer) / line.rate)
        if wait < math.inf:
            self.at(now + max(wait, 0.0005), "wake", 0)

    def _wake(self, now: float, _: float) -> None:
        pass

    def _rate(self, now: float, rate: float) -> None:
        self.line.free_at = now + self.line.queued(now) / rate
        self.line.rate = rate

    def _arrive(self, now: float, size: float) -> None:
        self.arrived += int(size)
        self.run.received.append((now, int(size)))
        self.at(now + self.line.delay, "acknowledge", self.arrived)

    def _acknowledge(self, now: float, total: float) -> None:
        self.run.controller.acknowledged(now, int(total))


class Sparing(Sender):
    """Sends 20 kB each tenth of a second."""

    def _wake(self, now: float, _: float) -> None:
        self.put(now, 20_000)
        self.run.controller.idle()
        self.at(now + 0.1, "wake", 0)

    def send(self, now: float) -> None:
        pass


class Calling(Sender):
    """Answers small calls one after the other, of which one is late, and sends without a pause from `START` on."""

    START = 3.0
    SMALL = 100

    def _wake(self, now: float, number: float) -> None:
        if now < self.START:
            late = 0.2 if number == 5 else 0.0
            self.run.controller.sent(now, self.SMALL, True)
            self.at(self.line.send(now, self.SMALL) + late, "arrive", self.SMALL)
            self.at(now + 0.3, "wake", number + 1)

    def send(self, now: float) -> None:
        if now >= self.START:
            super().send(now)


def transfer(line: Line, until: float, changes: dict[float, float] | None = None) -> Run:
    """Send without a pause; the line's rate changes at the times of `changes`."""
    sender = Sender(line)
    for time, rate in (changes or {}).items():
        sender.at(time, "rate", rate)
    return sender.until(until)


@pytest.mark.parametrize("mbit", [5, 20, 100, 1000])
def test_small_calls_with_a_late_answer_are_not_taken_for_what_the_line_carries(mbit: int) -> None:
    """FLOW-4."""
    sender = Calling(Line(mbit * MBIT, 0.03))
    sender.at(Calling.START, "wake", 0)
    run = sender.until(Calling.START + 2)
    assert run.rate(Calling.START + 1, Calling.START + 2) > 0.7 * min(mbit, 100) * MBIT


@pytest.mark.parametrize(("mbit", "round_trip"), [(5, 0.1), (20, 0.08), (100, 0.02), (20, 0.004), (1, 0.3)], ids=str)
def test_the_line_is_busy_and_its_queue_short(mbit: int, round_trip: float) -> None:
    line = Line(mbit * MBIT, round_trip / 2)
    run = transfer(line, 10)
    assert run.rate(3, 10) > 0.9 * line.rate
    assert run.delay_by_queue(5, 10, line) < max(0.25 * round_trip, 2 * run.controller.chunk_size / line.rate) + 0.03


def test_start_up_makes_no_long_queue() -> None:
    """What a small message waits for while the rate is being found, behind a large one."""
    line = Line(20 * MBIT, 0.04)
    run = transfer(line, 3)
    assert max(queue for _, queue in run.queues) < 0.06
    assert run.rate(0, 3) > 0.9 * line.rate


class Bursts(Sender):
    """A line on a busy machine: acknowledgements wait for up to 90 ms, once a second or more, and then come at once."""

    def __init__(self, line: Line, seed: int) -> None:
        super().__init__(line)
        chance, time = random.Random(seed), 0.0
        self.pauses: list[tuple[float, float]] = []
        while time < 20:
            time += chance.expovariate(1.5)
            self.pauses.append((time, time := time + 0.09 * chance.random()))

    def _acknowledge(self, now: float, total: float) -> None:
        later = next((end for start, end in self.pauses if start <= now < end), None)
        if later is None:
            super()._acknowledge(now, total)
        else:
            self.at(later, "acknowledge", total)


@pytest.mark.parametrize("seed", range(4))
def test_acknowledgements_in_bursts_make_no_queue_that_stays(seed: int) -> None:
    line = Line(20 * MBIT, 0.04)
    run = Bursts(line, seed).until(12)
    assert run.delay_by_queue(1, 12, line) < 0.045
    assert run.rate(1, 12) > 0.9 * line.rate


class Busy(Sender):
    """The peer deals with what has arrived once in so many seconds, as a page does whose other work takes that long."""

    PERIOD = 0.1

    def _arrive(self, now: float, size: float) -> None:
        self.at((now // self.PERIOD + 1) * self.PERIOD, "deal", size)

    def _deal(self, now: float, size: float) -> None:
        super()._arrive(now, size)


@pytest.mark.parametrize(("mbit", "round_trip"), [(20, 0.08), (50, 0.004), (20, 0.004)], ids=str)
def test_a_peer_that_is_busy_does_not_starve_the_line(mbit: int, round_trip: float) -> None:
    """Its acknowledgements come in bursts; with no more in flight than the line holds, the line would be idle between
    them, and the rate that they show would fall until it rested at two chunks a burst."""
    line = Line(mbit * MBIT, round_trip / 2)
    run = Busy(line).until(6)
    assert run.rate(3, 6) > 0.7 * line.rate
    assert run.delay_by_queue(3, 6, line) < Busy.PERIOD


def test_a_peer_that_is_no_longer_busy_has_a_short_queue_again() -> None:
    line = Line(20 * MBIT, 0.04)
    sender = Busy(line)
    sender.until(4)
    sender.PERIOD = 1e-6
    run = sender.until(9)
    assert run.delay_by_queue(6, 9, line) < 0.045
    assert run.rate(6, 9) > 0.9 * line.rate


def test_a_line_that_becomes_slower_is_noticed() -> None:
    line = Line(20 * MBIT, 0.04)
    run = transfer(line, 14, {5.0: 5 * MBIT})
    assert run.rate(8, 14) > 0.9 * 5 * MBIT
    assert run.delay_by_queue(8, 14, line) < 0.12
    assert run.controller.rate < 1.3 * 5 * MBIT


def test_a_line_that_becomes_faster_is_used() -> None:
    line = Line(5 * MBIT, 0.04)
    run = transfer(line, 14, {5.0: 20 * MBIT})
    assert run.rate(9, 14) > 0.85 * 20 * MBIT


def test_jitter_does_not_starve_the_line() -> None:
    line = Line(20 * MBIT, 0.04, jitter=0.02)
    run = transfer(line, 10)
    assert run.rate(3, 10) > 0.85 * line.rate


def test_a_sender_with_little_to_say_keeps_the_estimate_and_is_not_held_up() -> None:
    line = Line(20 * MBIT, 0.04)
    run = Sparing(line).until(5)
    controller = run.controller
    assert controller.min_rtt == pytest.approx(0.088, abs=0.002)
    assert controller.in_flight <= 20_000
    assert controller.delay(5.01) == 0


def test_a_fast_line_is_not_paced() -> None:
    line = Line(1000 * MBIT, 0.0001, buffer=1 << 22)
    run = transfer(line, 1)
    assert run.controller.rate > FAST
    assert run.rate(0.3, 1) > 0.95 * line.rate
    assert run.controller.window >= 8 << 20


def test_chunks_follow_the_rate() -> None:
    slow, middle, fast = (transfer(Line(mbit * MBIT, 0.02), 3).controller for mbit in (2, 40, 8000))
    assert slow.chunk_size == MIN_CHUNK
    assert middle.chunk_size == pytest.approx(40 * MBIT * 0.02, rel=0.2)
    assert fast.chunk_size == MAX_CHUNK


def test_what_a_peer_acknowledges_twice_or_makes_up_changes_nothing() -> None:
    controller = CongestionController(0.0)
    controller.sent(0.0, 1000)
    controller.acknowledged(0.1, 5000)
    assert controller.delivered == 0
    controller.acknowledged(0.1, 1000)
    controller.acknowledged(0.2, 1000)
    controller.acknowledged(0.2, -1)
    assert (controller.delivered, controller.in_flight) == (1000, 0)
    assert controller.min_rtt == pytest.approx(0.1)


def test_an_acknowledgement_that_was_held_back_does_not_lengthen_the_round_trip() -> None:
    controller = CongestionController(0.0)
    controller.sent(0.0, 1000)
    controller.acknowledged(1.05, 1000, held=1.0)
    assert controller.rtt == pytest.approx(0.05)


def test_frames_whose_window_limits_them_do_not_come_in_bursts() -> None:
    """200 kB frames, two at most unacknowledged, as a page that acknowledges them lets a topic send."""
    line = Line(20 * MBIT, 0.04)
    controller = CongestionController(0.0)
    numbers = itertools.count()
    events: list[tuple[float, int, str, int]] = [(0.0, next(numbers), "wake", 0)]
    left, frames, total, now = 0, 0, 0, 0.0
    settled: list[float] = []
    queues: list[float] = []
    while now < 10:
        now, _, kind, value = heapq.heappop(events)
        if kind == "ack":
            controller.acknowledged(now, value)
            settled += [now] * (value // 200_000 - len(settled))
        if not left and frames - len(settled) < 2:
            left, frames = 200_000, frames + 1
        while left and controller.delay(now) == 0:
            size = min(controller.chunk_size, left)
            controller.sent(now, size)
            left, total = left - size, total + size
            queues += [line.queued(now) / line.rate] * (now > 3)
            heapq.heappush(events, (line.send(now, size) + 0.045, next(numbers), "ack", total))
        if not left:
            controller.idle()
        if left and controller.delay(now) < math.inf:
            heapq.heappush(events, (now + max(controller.delay(now), 0.0005), next(numbers), "wake", 0))
    assert len([time for time in settled if time > 3]) * 200_000 / 7 > 0.85 * line.rate
    assert sorted(queues)[int(len(queues) * 0.95)] < 0.045


VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "congestion.json").read_text())["cases"]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: case["name"])
def test_the_vectors_that_both_languages_run(case: dict[str, Any]) -> None:
    controller = CongestionController(0.0)
    for name, *arguments in case["steps"]:
        if name == "idle":
            controller.idle()
            continue
        now, size, expected = arguments
        getattr(controller, name)(now, size)
        delay = controller.delay(now)
        found = [controller.window, controller.chunk_size, controller.rate, None if delay == math.inf else delay]
        assert found == pytest.approx(expected)
