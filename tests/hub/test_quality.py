"""The quality controller and the delivery window over simulated lines, in virtual time."""

from __future__ import annotations

import heapq
import itertools
import random
from dataclasses import dataclass, field

import pytest

from wslink.hub.quality import LEAST_QUALITY, QualityController
from wslink.session.window import DeliveryWindow

MBIT = 125_000


@dataclass
class Viewer:
    """A viewer on a line with a rate and a round trip: frames of `full_size` times a power of their quality are
    rendered when the window is open, and settle after `callback` seconds each, one after another."""

    rate: float
    round_trip: float = 0.08
    full_size: int = 400_000
    power: float = 1.0
    callback: float = 0.005
    jitter: float = 0.0
    sleeps: tuple[float, float] = (0.0, 0.0)
    changes: dict[float, float] = field(default_factory=dict)
    window: DeliveryWindow = field(default_factory=DeliveryWindow)
    quality: QualityController = field(default_factory=QualityController)
    frames: list[tuple[float, float, float]] = field(default_factory=list)  # time, age in the page, quality

    def run(self, until: float) -> None:
        numbers, chance = itertools.count(), random.Random(2)
        events: list[tuple[float, int, str, tuple]] = [(0.0, next(numbers), "render", ())]
        events += [(time, next(numbers), "rate", (rate,)) for time, rate in self.changes.items()]
        heapq.heapify(events)
        line_free = page_free = next_render = 0.0
        while events and events[0][0] < until:
            now, _, kind, about = heapq.heappop(events)
            if kind == "rate":
                (self.rate,) = about
            elif kind == "settled":
                count, age = about
                floor = self.round_trip + self.callback + self.full_size * self.quality.quality**self.power / self.rate
                settled = self.window.settle(now, count, floor)
                if settled is not None:
                    used = float(settled.label)  # type: ignore[arg-type]
                    self.frames.append((now, age, used))
                    self.quality.observe(used, settled.size, settled.age, self.round_trip, self.rate)
            if now < next_render - 1e-9 or not self.window.open or line_free > now + 0.02:
                if self.window.open:
                    again = max(next_render, line_free - 0.02, now + 1e-6)
                    heapq.heappush(events, (again, next(numbers), "render", ()))
                continue
            next_render = now + 1 / 60
            size = int(self.full_size * self.quality.quality**self.power)
            self.window.sent(now, now, size, self.quality.quality)
            line_free = max(line_free, now) + size / self.rate
            arrival = line_free + self.round_trip / 2 + chance.random() * self.jitter
            if self.sleeps[0] <= arrival < self.sleeps[1]:
                arrival = self.sleeps[1]
            page_free = max(page_free, arrival) + self.callback
            heapq.heappush(
                events,
                (page_free + self.round_trip / 2, next(numbers), "settled", (self.window.count, page_free - now)),
            )
            heapq.heappush(events, (max(next_render, line_free - 0.02), next(numbers), "render", ()))

    def between(self, start: float, end: float) -> list[tuple[float, float, float]]:
        return [frame for frame in self.frames if start <= frame[0] < end]

    def age(self, start: float, end: float) -> float:
        """The 95th percentile of the frames' age when the page has drawn them."""
        ages = sorted(age for _, age, _ in self.between(start, end))
        return ages[int(len(ages) * 0.95)]

    def fps(self, start: float, end: float) -> float:
        return len(self.between(start, end)) / (end - start)


@pytest.mark.parametrize(("mbit", "power"), [(5, 1), (5, 2), (20, 0.5), (20, 1), (20, 2), (50, 0.5), (50, 2)])
def test_frames_come_at_the_rate_and_age_that_is_aimed_at(mbit: int, power: float) -> None:
    viewer = Viewer(mbit * MBIT, power=power)
    viewer.run(10)
    assert viewer.fps(3, 10) >= 24
    assert viewer.age(3, 10) < 0.04 + 0.1
    used = [quality for _, _, quality in viewer.between(5, 10)]
    assert max(used) - min(used) < 0.15 * max(used)


def test_a_fast_line_gets_full_quality() -> None:
    viewer = Viewer(1000 * MBIT, round_trip=0.001)
    viewer.run(3)
    assert viewer.quality.quality == 1


def test_a_step_down_is_followed_within_a_second_and_a_step_up_within_three() -> None:
    viewer = Viewer(50 * MBIT, changes={4.0: 10 * MBIT, 8.0: 50 * MBIT})
    viewer.run(12)
    assert viewer.age(5.5, 8) < 0.16
    assert viewer.fps(5.5, 8) > 22
    assert viewer.between(11, 12)[-1][2] > 0.8 * viewer.between(3, 4)[-1][2]


def test_jitter_costs_little_quality() -> None:
    steady, shaken = Viewer(20 * MBIT), Viewer(20 * MBIT, jitter=0.03)
    steady.run(8)
    shaken.run(8)
    assert shaken.quality.quality > 0.6 * steady.quality.quality


def test_a_viewer_that_comes_back_from_sleep_is_served_as_before() -> None:
    viewer = Viewer(20 * MBIT, sleeps=(3.0, 33.0))
    viewer.run(38)
    assert not viewer.between(3.2, 33)  # it held up itself, within its window
    assert viewer.fps(35, 38) >= 24
    assert viewer.age(35, 38) < 0.15


def test_a_slow_callback_is_not_sent_more_than_it_takes() -> None:
    viewer = Viewer(100 * MBIT, full_size=50_000, callback=0.2)
    viewer.run(20)
    assert viewer.fps(10, 20) > 4.5
    assert viewer.age(10, 20) < 0.7


def test_the_least_quality_is_kept_on_a_line_that_is_too_slow() -> None:
    viewer = Viewer(0.2 * MBIT)
    viewer.run(60)
    assert viewer.quality.quality == pytest.approx(LEAST_QUALITY, abs=0.01)


def test_a_window_grows_until_the_line_is_busy() -> None:
    """20 kB frames at 200 Mbit/s and 100 ms: 30 and more fit on the way."""
    viewer = Viewer(200 * MBIT, round_trip=0.1, full_size=20_000, callback=0.0001)
    viewer.run(6)
    assert viewer.fps(3, 6) > 55
    assert viewer.window.size >= 6


def test_a_window_that_the_subscriber_asked_for_stays() -> None:
    window = DeliveryWindow(fixed=3)
    for number in range(3):
        assert window.open
        window.sent(float(number), float(number), 100)
    assert not window.open
    assert window.settle(10.0, 2) is not None
    assert (window.size, window.open, window.settled) == (3, True, 2)


@pytest.mark.parametrize("count", [0, -1, 2, 10**9])
def test_a_count_that_says_nothing_new_or_too_much_changes_nothing(count: int) -> None:
    window = DeliveryWindow()
    window.sent(0.0, 0.0, 100)
    assert window.settle(1.0, count) is None
    assert window.settled == 0
