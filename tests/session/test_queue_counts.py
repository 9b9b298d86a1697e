"""What a send queue counts of the messages in it, at every step, and who is told when they go."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.session.test_send_queue import drain, large, put, small
from wslink.errors import LimitExceeded
from wslink.session.entries import Entry
from wslink.session.send_queue import BULK, BULK_AFTER, NORMAL, OVERHEAD, URGENT, SendQueue, behind, left, waiting
from wslink.wire.chunks import HEADER_LENGTH, frames_of
from wslink.wire.frames import Message


class Ledger:
    kept = keepers = queues = 0
    share = kept_share = 10**7

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def add(self, message: Message) -> None:
        self.messages.append(message)

    def remove(self, message: Message) -> None:
        self.messages.remove(message)

    def forget(self, messages: Iterator[Message]) -> None:
        for message in messages:
            self.remove(message)

    def look(self) -> None: ...
    def hold(self, holder: Any) -> None: ...
    def release(self, holder: Any) -> None: ...


class Gate:
    def __init__(self) -> None:
        self.open = False


class Numbers:
    def __init__(self) -> None:
        self.begun: list[Entry] = []
        self.ended: list[int] = []

    def begin(self, entry: Entry) -> int:
        self.begun.append(entry)
        return 40 + len(self.begun)

    def end(self, number: int) -> None:
        self.ended.append(number)


def gated(queue: SendQueue, message: Message, *gates: Gate, key: Any = None, names: Any = ()) -> Entry:
    entry = Entry(message, key, names, gates)
    queue.put(entry)
    return entry


def counts(queue: SendQueue) -> tuple[int, int, int]:
    return queue.waiting, queue.gated, len(queue)


def size(*messages: Message) -> int:
    return sum(message.size + OVERHEAD for message in messages)


def test_what_waits_counts_until_its_last_byte_has_gone() -> None:
    ledger = Ledger()
    queue = SendQueue(10**7, None, ledger)
    one, two = small("one"), large("L", 100_000)
    put(queue, one)
    put(queue, two)
    assert counts(queue) == (size(one, two), 0, 2)
    assert ledger.messages == [one, two]
    assert queue.next(50_000) is one.frames[0]
    assert counts(queue) == (size(two), 0, 1)
    sent = [queue.next(50_012).size for _ in range(2)]  # type: ignore[union-attr]
    assert sent == [50_012, 50_012]
    assert (counts(queue), ledger.messages, queue.next(50_000)) == ((0, 0, 0), [], None)
    put(queue, two)
    queue.next(20_012)
    assert counts(queue) == (size(two) - 20_012, 0, 1)
    queue.next(20_012)
    assert counts(queue) == (size(two) - 40_012, 0, 1)  # the second has a header that the message does not count
    queue.clear()
    assert (counts(queue), ledger.messages, queue.next(9)) == ((0, 0, 0), [], None)


def test_the_bound_is_on_what_waits_behind_what_is_being_sent() -> None:
    queue = SendQueue(2 * OVERHEAD + 20)
    put(queue, small("x" * 10))
    put(queue, small("y" * 10))
    with pytest.raises(LimitExceeded) as caught:
        put(queue, small(""))
    why = f"over max_backlog ({2 * OVERHEAD + 20} bytes) wait: the client reads too slowly"
    assert (caught.value.message, counts(queue)) == (why, (2 * OVERHEAD + 20, 0, 2))
    exact = SendQueue(2 * OVERHEAD + 20)
    put(exact, small("x" * 10), key="k")
    put(exact, small("y" * 10))
    put(exact, small("z" * 10), key="k")  # in the place of the first
    assert (counts(exact), exact.dropped) == ((2 * OVERHEAD + 20, 0, 2), 1)
    with pytest.raises(LimitExceeded):
        put(exact, small("z" * 11), key="k")
    assert drain(exact) == ["z" * 10, "y" * 10]


@pytest.mark.parametrize("newer", [small("newer"), large("N")])
@pytest.mark.parametrize("older", [small("old"), large("O")])
def test_a_newer_message_counts_in_place_of_the_older(older: Message, newer: Message) -> None:
    ledger, gate = Ledger(), Gate()
    queue = SendQueue(10**7, None, ledger)
    entry = Entry(older, "k", ("t",), (gate,))
    assert queue.put(entry)
    assert counts(queue) == (size(older), size(older), 1)
    replacing = Entry(newer, "k", ("t",), (gate,), lambda entry: None)
    assert not queue.put(replacing)
    assert (counts(queue), queue.dropped, ledger.messages) == ((size(newer), size(newer), 1), 1, [newer])
    newest = queue.newest("k")
    assert newest is not None
    assert (newest.message, newest.on_begin) == (newer, replacing.on_begin)
    assert queue.newest("other") is None
    plain = Entry(newer, "k", ("t",))
    assert not queue.put(plain)
    assert (counts(queue), queue.dropped) == ((size(newer), 0, 1), 2)
    gate.open = True
    assert queue.next(10**6) is not None
    assert (queue.newest("k"), ledger.messages, counts(queue)) == (None, [], (0, 0, 0))


def test_what_waits_for_a_gate_counts_apart() -> None:
    queue, gate, other = SendQueue(10**7), Gate(), Gate()
    first, free = large("A"), large("B")
    entry = gated(queue, first, gate, other, names=("t",))
    put(queue, free, "u")
    assert counts(queue) == (size(first, free), size(first), 2)
    assert behind(queue) == size(free)
    queue.next(50_012)
    assert behind(queue) == queue.waiting - size(first) - 50_000
    gate.open = True
    assert not entry.ready
    other.open = True
    assert entry.ready
    queue.next(50_012)
    queue.next(50_012)
    assert queue.gated == 0
    assert queue.drop(entry) is False
    again = gated(queue, first, Gate(), names=("v",))
    assert queue.gated == size(first)
    assert queue.drop(again) is True
    assert queue.gated == 0
    assert behind(queue) == queue.waiting - max(one.cutter.left for one in (entry,) if one.cutter)


def test_what_is_kept_of_messages_that_are_being_sent_is_right_whatever_happens_to_the_queue() -> None:
    queue, chance = SendQueue(10**9), random.Random(17)
    for number in range(2_000):
        some = [entry for streams in queue._lanes or () for stream in streams for entry in stream.entries]
        act = chance.random()
        if act < 0.5 or not some:
            message = large("x", chance.randrange(17_000, 200_000)) if chance.random() < 0.7 else small("x")
            put(queue, message, chance.choice("abc"), key=chance.choice(("k", "l", None)))
        elif act < 0.95:
            queue.next(chance.choice((20_000, 50_000, 300_000)))
        elif act < 0.97:
            queue.give_up(chance.choice(some))
        elif act < 0.99:
            queue.drop(chance.choice(some))
        elif number % 7:
            queue.interrupt()
        else:
            queue.clear()
        entries = [entry for streams in queue._lanes or () for stream in streams for entry in stream.entries]
        cutters = [entry.cutter for entry in entries if entry.cutter is not None]
        assert queue.taken == sum(cutter.offset for cutter in cutters)
    drain(queue)
    assert queue.taken == 0


def test_a_message_waits_for_what_it_comes_after() -> None:
    queue = SendQueue(10**7)
    first = put(queue, large("A"), "a")
    entry = Entry(small("after"), None, ("b",))
    entry.after = first
    queue.put(entry)
    put(queue, small("free"))
    assert drain(queue) == ["free", "A", "A", "after"]


def test_whoever_watches_a_name_is_told_once_when_nothing_of_it_waits() -> None:
    queue, told = SendQueue(10**7), list[str]()
    put(queue, small("1"), "t")
    put(queue, small("2"), "t", "u")
    queue.watch("t", lambda: told.append("t"))
    queue.watch("t", lambda: told.append("again"))
    queue.watch("u", lambda: told.append("u"))
    assert (queue.holds("t"), queue.holds("v")) == (True, False)
    queue.next(9)
    assert (told, queue.holds("t")) == ([], True)
    queue.next(9)
    assert (told, queue.holds("t")) == (["t", "again", "u"], False)
    put(queue, small("3"), "t")
    queue.next(9)
    assert told == ["t", "again", "u"]
    dropped = put(queue, small("4"), "t")
    queue.watch("t", lambda: told.append("taken back"))
    queue.drop(dropped)
    assert told[3:] == ["taken back"]


def test_what_has_begun_and_what_is_left_of_a_name() -> None:
    queue = SendQueue(10**7)
    assert (queue.begun("t"), left(queue, "t"), waiting(queue)) == (None, (0, 0), [])
    first, second = put(queue, large("A"), "t"), put(queue, large("B"), "t")
    other, urgent = put(queue, small("c"), "u"), put(queue, small("d"), "v", lane=URGENT)
    assert left(queue, "t") == (first.message.size + second.message.size, 2)
    assert waiting(queue) == [(BULK, first), (BULK, second), (NORMAL, other), (URGENT, urgent)]
    for _ in range(3):
        queue.next(30_012)
    assert (queue.begun("t"), queue.begun("u")) == (first, None)
    assert left(queue, "t") == (70_000 + second.message.size, 1)
    assert waiting(queue) == [(BULK, second)]


def test_messages_are_taken_back_by_what_they_are_about() -> None:
    queue = SendQueue(10**7)
    for n in range(4):
        put(queue, small(str(n)), "t").about = n
    begun = put(queue, large("L"), "t")
    begun.about = 1
    queue.withdraw("t", lambda about: about % 2 == 1)
    queue.withdraw("unknown", lambda about: True)
    assert drain(queue) == ["0", "2"]


def test_a_message_that_is_given_up_counts_no_more() -> None:
    """CAN-3."""
    numbers = Numbers()
    queue = SendQueue(10**7, numbers)
    entry = put(queue, large("A"), "a")
    whole = put(queue, large("B"), "b")
    queue.give_up(whole)
    assert (counts(queue), numbers.ended) == ((size(entry.message), 0, 1), [])
    queue.next(30_012)
    assert entry.end() == 70_000
    entry.ended = False
    queue.give_up(entry)
    queue.give_up(entry)
    assert (counts(queue), numbers.ended) == ((OVERHEAD, 0, 1), [41])
    frame = queue.next(30_012)
    assert frame is not None
    assert (frame.size, counts(queue), entry.over) == (HEADER_LENGTH, (0, 0, 0), True)
    small_one = put(queue, small("s"))
    assert small_one.end() == 0


def test_messages_have_the_numbers_that_they_are_given() -> None:
    numbers, begun = Numbers(), list[Any]()
    queue = SendQueue(10**7, numbers)
    entry = Entry(large("A"), "k", (), (), begun.append)
    queue.put(entry)
    assert (begun, entry.begun) == ([], False)
    frame = queue.next(50_012)
    assert frame is not None
    assert (begun, entry.begun, numbers.begun) == ([entry], True, [entry])
    assert int.from_bytes(bytes(frame.parts[0])[:4], "little") == 41


def test_bulk_goes_after_so_many_bytes_of_others() -> None:
    """LANE-3."""
    queue = SendQueue(10**7)
    put(queue, large("B", 400_000))
    for n in range(20):
        put(queue, small(f"{n:02}" + "x" * 998))
    sent = "".join("B" if (frame := queue.next(1000)) and frame.binary else "s" for _ in range(20))
    assert sent == ("s" * BULK_AFTER + "B") * 2 + "ss"


def test_a_queue_that_was_interrupted_keeps_what_has_not_begun() -> None:
    ledger = Ledger()
    queue = SendQueue(10**7, None, ledger)
    first, second, third = (put(queue, large(letter), letter) for letter in "ABC")
    follower = put(queue, small("d"), "A")
    queue.next(30_012)
    queue.next(30_012)
    queue.interrupt()
    assert (first.over, second.over, third.over) == (True, True, False)
    assert counts(queue) == (size(third.message, follower.message), 0, 2)
    assert ledger.messages == [third.message, follower.message]
    assert drain(queue) == ["C", "d", "C"]


def test_what_is_repeated_goes_first_under_its_numbers() -> None:
    """RES-6, RES-13."""
    queue = SendQueue(10**7)
    put(queue, small("later"))
    one, long = frames_of(large("x", 100)), large("L", 100_000)
    short = Message(tuple(one), one[0].size)
    before = queue.waiting
    queue.repeat([(5, short), (6, long)], {6: 40_000})
    assert queue.waiting == before + short.size + long.size - 40_000
    sent = []
    while (frame := queue.next(40_012)) is not None and frame.binary:
        head = bytes(frame.joined())
        sent.append([int.from_bytes(head[at : at + 4], "little") for at in (0, 4)])
    assert sent[0] == [5, 0]
    assert [one[0] for one in sent[1:]] == [6] * (len(sent) - 1)
    assert (queue.waiting, len(queue), frame is not None) == (0, 0, True)
    for number in (7, 8):
        queue.repeat([(number, short)])
    assert queue.waiting == 2 * short.size
    assert [bytes(frame.joined())[0] for frame in iter(lambda: queue.next(99), None)] == [7, 8]
    assert queue.waiting == 0
