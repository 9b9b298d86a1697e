"""The ring that a recorder keeps its records in."""

from __future__ import annotations

import threading

import pytest

from wslink.observe import ring as rings
from wslink.observe.ring import Kept, Ring, records
from wslink.observe.sent import pack_into
from wslink.wire.recording import EVENT, RESPONSE


def put(ring: Ring, number: int) -> None:
    """As a recorder keeps a small record."""
    pack_into((RESPONSE, rings.monotonic(), "c", b"%12d" % number), ring.open, -1)
    ring.count += 1
    if len(ring.open) > ring.full:
        ring.close()


def read(ring: Ring) -> list[int]:
    found = []
    for one in records(ring.pieces()):
        what = one.about if isinstance(one, Kept) else one.message
        assert isinstance(what, (bytes, str))
        found.append(int(what))
    return found


def test_records_are_in_the_order_in_which_they_were_added_and_the_oldest_go_first() -> None:
    ring = Ring(100_000)
    for number in range(4000):
        if number % 7:
            put(ring, number)
        else:
            ring.add(EVENT, "c", str(number), None, 200)
        assert ring.size <= 100_000
    found = read(ring)
    assert found[-1] == 3999
    assert found == sorted(found)
    assert len(found) + ring.left_out == 4000
    assert len(found) > 500
    assert any(number % 7 == 0 for number in found)


def test_it_is_read_while_it_is_added_to() -> None:
    ring = Ring(200_000)
    stopped = threading.Event()
    looks: list[list[int]] = []

    def look() -> None:
        while not stopped.is_set():
            looks.append(read(ring))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(40_000):
        put(ring, number)
    stopped.set()
    reader.join()
    assert len(looks) > 2
    for found in looks:
        assert found == list(range(found[0], found[0] + len(found))) if found else True


@pytest.mark.parametrize("small", [True, False])
def test_there_are_no_more_records_than_a_recording_may_have(small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIM-22"""
    monkeypatch.setattr(rings, "MAX_KEPT", 3000)
    ring = Ring(2**24)
    for number in range(10_000):
        put(ring, number) if small else ring.add(EVENT, "c", str(number), None, 4)
    assert 1000 < len(read(ring)) <= 3000 + rings.SEGMENT // 20


@pytest.mark.parametrize("limit", [1, 100, 5000])
def test_one_that_is_hardly_there_keeps_its_bound(limit: int) -> None:
    ring = Ring(limit)
    for number in range(100):
        put(ring, number)
        ring.add(EVENT, "c", str(number), None, 4)
        assert ring.size <= limit + 5
