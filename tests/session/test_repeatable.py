"""What is counted of messages that are kept until the peer has them (RES-4, LIM-6): all of it, and nothing after."""

from __future__ import annotations

import pytest

from wslink.hub.backlog import Backlog
from wslink.session.entries import Entry
from wslink.session.repeatable import SMALL, UNCOUNTED, Repeatable
from wslink.session.send_queue import OVERHEAD
from wslink.wire.frames import Message
from wslink.wire.limits import Limits
from wslink.wire.v2_msgpack import V2Encoder


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(Limits, lambda: None)


@pytest.fixture
def kept(backlog: Backlog) -> Repeatable:
    return Repeatable(2**20, backlog)


def message(size: int) -> Message:
    return V2Encoder().result("rpc:c0:1", b"x" * size, 2**16)


def keep(kept: Repeatable, one: Message) -> None:
    """As a session keeps the result of a call."""
    kept.last += 1
    kept.keep(one.frames[0].parts[0])  # type: ignore[arg-type]
    if one.size > SMALL or kept.last >= kept.look_at:
        kept.look(one.size)


def counted(backlog: Backlog, kept: Repeatable) -> tuple[int, int]:
    size = kept.size
    return backlog.bytes + backlog.kept, size


@pytest.mark.parametrize("size", [10, 100, 100_000])
@pytest.mark.parametrize("how", ["keep", "begin", "numbered"])
def test_what_is_acknowledged_counts_no_more(backlog: Backlog, kept: Repeatable, how: str, size: int) -> None:
    sent = [message(size if how == "begin" else min(size, 1000)) for _ in range(4)]
    for one in sent:
        if how == "keep":
            keep(kept, one)
        elif how == "begin":
            kept.begin(Entry(one))
        else:
            kept.numbered(one, "key")
    whole = kept.size
    assert whole >= sum(one.size for one in sent)
    assert counted(backlog, kept) == (whole, whole)
    kept.acknowledge(4, [2])
    assert [number for number, _ in kept] == [2]
    assert counted(backlog, kept) == (whole // 4, whole // 4)
    kept.acknowledge(4)
    assert counted(backlog, kept) == (0, 0)
    assert (backlog.bytes, backlog.kept) == (0, 0)


def test_what_was_ended_counts_as_little_as_what_says_so(backlog: Backlog, kept: Repeatable) -> None:
    number = kept.begin(Entry(message(100_000)))
    kept.end(number)
    assert 0 < kept.size < 2000
    assert counted(backlog, kept) == (kept.size, kept.size)
    kept.acknowledge(number)
    assert (backlog.bytes, backlog.kept, kept.size) == (0, 0, 0)


def test_beyond_the_limit_all_is_given_up(backlog: Backlog, kept: Repeatable) -> None:
    for _ in range(11):
        kept.begin(Entry(message(100_000)))
    assert (len(kept), kept.lost, kept.size) == (0, 11, 0)
    assert (backlog.bytes, backlog.kept) == (0, 0)
    kept.acknowledge(11)
    assert kept.lost == 0


@pytest.mark.parametrize("size", [10, SMALL, 4000])
@pytest.mark.parametrize("how", ["keep", "numbered", "mixed"])
def test_no_message_more_is_kept_than_may_be(backlog: Backlog, how: str, size: int) -> None:
    """Whatever is counted when."""
    one = message(size)

    def add(kept: Repeatable, number: int) -> None:
        if how == "keep":
            keep(kept, one)
        elif how == "mixed" and number % 3 == 0:
            kept.begin(Entry(one))
        else:
            kept.numbered(one)

    sizes = list[int]()
    enough = Repeatable(2**40, Backlog(Limits, lambda: None))
    for number in range(101):
        add(enough, number)
        sizes.append(enough.size)
    for limit in (sizes[99], sizes[99] + 1, sizes[100] - 1):
        kept = Repeatable(limit, backlog)
        for number in range(101):
            assert (len(kept), kept.lost) == (number, 0)
            add(kept, number)
        assert (len(kept), kept.lost) == (0, 101)
        assert counted(backlog, kept) == (0, 0)


def test_what_all_clients_keep_is_looked_at_before_much_more_is_kept(kept: Repeatable, backlog: Backlog) -> None:
    looked = list[int]()
    backlog.look = lambda: looked.append(backlog.kept)  # type: ignore[method-assign]
    for _ in range(300):
        keep(kept, message(100))
    assert len(looked) >= 3
    assert max(b - a for a, b in zip([0, *looked], looked, strict=False)) <= (UNCOUNTED + 2) * OVERHEAD


@pytest.mark.parametrize("numbers", [(), (5,), (4, 5), (2, 4, 5), (1, 2, 3, 4, 5), (2, 3)])
def test_what_another_worker_sent_is_kept_under_its_numbers(
    backlog: Backlog, kept: Repeatable, numbers: tuple[int, ...]
) -> None:
    other = Repeatable(2**20, Backlog(Limits, lambda: None))
    for _ in range(5):
        other.begin(Entry(message(100)))
    other.acknowledge(5, numbers)
    moved = dict(other)
    kept.restore(5, moved)
    assert dict(kept) == moved
    assert counted(backlog, kept) == (other.size, other.size)
    assert kept.begin(Entry(message(100))) == 6
    assert [number for number, _ in kept] == [*numbers, 6]
    kept.acknowledge(6)
    assert (backlog.bytes, backlog.kept, kept.size) == (0, 0, 0)
