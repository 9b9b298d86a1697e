"""What messages that wait cost the garbage collector, and when they are let go."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.session.queueing import drain, large, put, small
from wslink.session.entries import Entry
from wslink.session.send_queue import BULK, SendQueue


class Key:
    """What a test can see the end of."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def tracked() -> int:
    """The objects that the garbage collector looks at."""
    gc.collect()
    return len(gc.get_objects())


def filled(count: int) -> tuple[SendQueue, list[weakref.ref[Key]]]:
    """A queue in which as many messages wait as `count` says three times: of one topic, of a call each, and large."""
    queue, keys = SendQueue(10**9), list[weakref.ref[Key]]()
    for number in range(count):
        for message, names in ((small("x"), ("t",)), (small("y"), (f"call {number}", "t")), (large("z", 20_000), ())):
            key = Key()
            keys.append(weakref.ref(key))
            queue.put(Entry(message, key, names))
    return queue, keys


def test_the_garbage_collector_does_not_look_at_small_messages_that_wait() -> None:
    """However many there are, a collection takes no longer: it stops everybody."""
    queue = SendQueue(10**9)
    before = tracked()
    for number in range(2_000):
        put(queue, small("x"), "topic")
        put(queue, small("y"), "topic", f"call {number}")
        put(queue, small("z"), f"call {number}")
    assert tracked() - before < 50
    assert len(queue) == 6_000


@pytest.mark.parametrize("end", ["cleared", "sent", "taken back"])
def test_what_waited_is_let_go_without_the_garbage_collector(end: str) -> None:
    with uncollected():
        queue, keys = filled(20)
        queue.next(4_000)
        assert all(key() is not None for key in keys[1:])
        if end == "cleared":
            queue.clear()
        elif end == "sent":
            drain(queue)
        else:
            for key in keys[1:]:
                entry = queue.newest(key())
                if entry is not None:
                    queue.drop(entry)
            del entry
            drain(queue)
        assert [key for key in keys if key() is not None] == []


def test_names_of_one_two_and_many_messages() -> None:
    """What waits of a name is known whichever of its messages goes first."""
    queue = SendQueue(10**9)
    entries = [put(queue, small(str(number)), "t", lane=BULK) for number in range(2)]
    assert queue.named.entries("t") == tuple(entries)
    queue.drop(entries[0])
    assert queue.named.entries("t") == (entries[1],)
    entries[0] = put(queue, small("2"), "t", lane=BULK)
    queue.drop(entries[0])
    assert queue.named.entries("t") == (entries[1],)
    entries += [put(queue, small(str(number)), "t", lane=BULK) for number in range(3, 6)]
    assert queue.named.entries("t") == tuple(entries[1:])
    queue.drop(entries[2])
    queue.drop(entries[4])
    assert queue.named.entries("t") == (entries[1], entries[3])
    assert drain(queue) == ["1", "4"]
    assert not queue.holds("t")
