"""What the controllers of a line and of a subscription keep, whatever the peer acknowledges, and when."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from wslink.session.congestion import RTT_WINDOW, CongestionController
from wslink.session.window import MEMORY, DeliveryWindow

MIB = 1024 * 1024
SMALL = 60


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def grown() -> int:
    return tracemalloc.get_traced_memory()[0]


def test_small_messages_that_are_never_acknowledged(traced: None) -> None:
    """A peer may have shown a rate at which any number of them is on its way."""
    line = CongestionController(0.0)
    for number in range(10_000):
        line.sent(number * 5e-5, SMALL)
    assert grown() < 1 * MIB
    assert line.in_flight == 10_000 * SMALL
    line.acknowledged(0.55, SMALL)
    assert line.rtt == pytest.approx(0.55), "the times of the oldest are known"
    line.acknowledged(0.6, 10_000 * SMALL)
    assert line.in_flight == 0
    assert line.rtt == pytest.approx(0.1, abs=0.01)


def test_acknowledgements_each_of_which_takes_longer(traced: None) -> None:
    line, step = CongestionController(0.0), RTT_WINDOW / 12_000
    rtts = []
    for number in range(10_000):
        sent, rtts = number * step, [0.02 + number * 1e-6]
        line.sent(sent, SMALL)
        line.acknowledged(sent + rtts[0], (number + 1) * SMALL)
    assert grown() < 0.2 * MIB
    assert line.min_rtt == pytest.approx(0.02)
    later = 10_000 * step + RTT_WINDOW / 2
    line.sent(later, SMALL)
    line.acknowledged(later + 1, 10_001 * SMALL)
    assert 0.02 < line.min_rtt < rtts[0], "those of the last seconds count"


def test_publications_each_of_which_is_settled_later(traced: None) -> None:
    window, step = DeliveryWindow(), MEMORY / 12_000
    for number in range(10_000):
        window.sent(number * step, number * step, SMALL)
        window.settle(number * step + 0.02 + number * 1e-6, number + 1)
    assert grown() < 0.2 * MIB
