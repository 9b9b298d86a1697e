"""How many publications of a subscription may be on their way, second by second (docs/protocol: FLOW)."""

from __future__ import annotations

import pytest

from wslink.session.window import DeliveryWindow, Settled


def exchange(window: DeliveryWindow, now: float, rtt: float, floor: float = 0.0) -> float:
    """Fill the window at `now`, settle all of it a round trip later, and give the time then."""
    while window.open:
        window.sent(now, now, 100)
    window.settle(now + rtt, window.count, floor)
    return now + rtt


def test_it_doubles_until_something_waits_then_grows_by_one() -> None:
    window, now, sizes = DeliveryWindow(), 0.0, []
    for rtt in (0.125, 0.125, 0.125, 0.25, 0.125, 0.125, 0.125, 0.125):
        now = exchange(window, now, rtt)
        sizes.append(window.size)
    assert sizes[:3] == [8, 16, 32]
    assert sizes[3] == 17  # half of the time something waited: half of the window, and one
    assert sizes[4:] == [18, 19, 20, 21]


def test_it_shrinks_by_one_at_least_and_not_below_one() -> None:
    window = DeliveryWindow()
    now = exchange(window, 0, 0.1)
    assert window.size == 8
    now = exchange(window, now, 0.1 / (1 - 1.1 / 8))  # a little more than one waits
    assert window.size == 7
    for _ in range(12):
        now = exchange(window, now, 10.0, floor=0.001)
    assert window.size == 1


def test_it_stays_where_about_one_waits_and_where_it_is_not_used_up() -> None:
    window = DeliveryWindow()
    now = exchange(window, 0, 0.1)
    now = exchange(window, now, 0.1 / (1 - 0.75 / 8))
    assert window.size == 8
    window.sent(now, now, 100)
    window.settle(now + 0.1, window.count)
    assert window.size == 8


def test_it_grows_to_a_bound() -> None:
    window, now = DeliveryWindow(), 0.0
    for _ in range(10):
        now = exchange(window, now, 0.1)
    assert window.size == 256


def test_a_change_counts_from_the_next_publication_on() -> None:
    """Once a round trip: what was sent before a change says nothing of it."""
    window = DeliveryWindow()
    for _ in range(4):
        window.sent(0, 0, 100)
    window.settle(0.1, 4)
    assert window.size == 8
    for _ in range(8):
        window.sent(0.1, 0.1, 100)
    window.settle(1.1, 5)
    assert window.size == 2
    window.settle(1.2, 11)
    assert window.size == 2


def test_the_shortest_time_counts_for_30_seconds() -> None:
    window = DeliveryWindow()
    exchange(window, 0, 0.1)
    for _ in range(8):
        window.sent(40, 40, 100)
    window.settle(41, window.count)
    assert window.size == 16, "nothing is known of a faster line"


def test_what_was_settled_says_its_size_age_and_label() -> None:
    window = DeliveryWindow()
    assert (window.next_size, window.room) == (0, 4)
    window.sent(2, 1, 100, "first")
    window.sent(3, 2.5, 200, "second")
    assert (window.next_size, window.room, window.count, window.settled) == (100, 2, 2, 0)
    assert window.settle(5, 2) == Settled(200, 2.5, 2, "second")
    assert (window.next_size, window.room, window.settled) == (0, 4, 2)


@pytest.mark.parametrize("rate", [None, 4])
def test_a_rate_closes_it_after_each(rate: float | None) -> None:
    window = DeliveryWindow(max_rate=rate)
    assert window.interval == (0.25 if rate else 0)
    window.sent(0, 0, 100)
    assert window.resting is (rate is not None)
    assert window.open is (rate is None)


def test_who_waits_is_called_where_one_more_may_go() -> None:
    window, calls = DeliveryWindow(fixed=1), []
    window.opened()
    window.on_open = lambda: calls.append(window.count)
    window.sent(0, 0, 100)
    window.opened()
    assert calls == []
    window.settle(1, 1)
    assert calls == [1]
    assert window.size == 1


def test_that_of_an_ended_subscription_is_open_forever() -> None:
    window = DeliveryWindow(fixed=1, max_rate=1)
    window.sent(0, 0, 100)
    assert not window.open
    window.end()
    assert window.open
    for _ in range(1000):
        window.sent(0, 0, 100)
    assert window.open


def test_one_goes_on_in_another_process() -> None:
    window = DeliveryWindow()
    exchange(window, 0, 0.1)
    window.dropped = 3
    window.sent(1, 1, 100)
    window.sent(1, 1, 200)
    other = DeliveryWindow()
    other.restore(5, window.pack_up())
    assert (other.count, other.settled, other.size, other.dropped) == (6, 4, 8, 3)
    assert (other.next_size, other.room) == (100, 6)
    assert other.settle(6, 6) == Settled(200, 1, 1, None)
