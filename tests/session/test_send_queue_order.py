"""The order of what waits for one client, whatever is taken back, replaced or interrupted."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.session.queueing import MIB, drain, large, put, small
from wslink import Limits
from wslink.session.entries import Entry
from wslink.session.send_queue import BULK, NORMAL, URGENT, SendQueue
from wslink.wire.chunks import Unchunker, cut
from wslink.wire.frames import Message


@given(st.lists(st.tuples(st.sampled_from([5, 200, 20_000, 60_000]), st.sampled_from("xyz")), max_size=25), st.data())
def test_messages_of_a_topic_arrive_in_order_whatever_their_sizes(
    sizes: list[tuple[int, str]], data: st.DataObject
) -> None:
    queue, unchunker = SendQueue(1 << 30), Unchunker(Limits())
    arrived: list[tuple[str, int]] = []
    for number, (size, topic) in enumerate(sizes):
        text = topic.encode() + number.to_bytes(2, "big") + bytes(size)
        put(queue, cut([text], len(text), 4 * MIB, False), topic)
        for _ in range(data.draw(st.integers(0, 2))):
            take(queue, unchunker, arrived)
    while len(queue):
        take(queue, unchunker, arrived)
    assert sorted(number for _, number in arrived) == list(range(len(sizes)))
    for topic in "xyz":
        numbers = [number for name, number in arrived if name == topic]
        assert numbers == sorted(numbers)
    assert queue.waiting == 0


def take(queue: SendQueue, unchunker: Unchunker, arrived: list[tuple[str, int]]) -> None:
    frame = queue.next(16_384)
    text = frame and unchunker.receive(bytes(frame.joined()))
    if text:
        arrived.append((chr(text[0]), int.from_bytes(text[1:3], "big")))


def test_what_is_put_after_the_last_of_its_topic_was_taken_back_is_sent() -> None:
    queue = SendQueue(10 * MIB)
    put(queue, small("first"), "topic")
    dropped = put(queue, large("d"), "topic")
    assert queue.drop(dropped)
    put(queue, small("second"), "topic")
    assert drain(queue) == ["first", "second"]


def test_what_waits_behind_a_message_that_is_taken_back_waits_behind_those_before_it() -> None:
    """LANE-1."""
    queue = SendQueue(10 * MIB)
    put(queue, small("other"), "a")
    put(queue, small("1"), "b")
    dropped = put(queue, small("2"), "b")
    put(queue, small("3"), "b", lane=URGENT)
    assert queue.drop(dropped)
    assert drain(queue) == ["other", "1", "3"]


def test_a_message_with_two_names_waits_for_the_last_of_each() -> None:
    queue = SendQueue(10 * MIB)
    put(queue, small("1"), "a")
    put(queue, small("2"), "a")
    put(queue, small("urgent"), "b", lane=URGENT)
    put(queue, small("both"), "a", "b")
    assert drain(queue) == ["urgent", "1", "2", "both"]


def test_a_message_may_have_one_name_twice() -> None:
    """As the response to a call of which the id is the name of a topic."""
    queue = SendQueue(10 * MIB)
    for text in "12":
        put(queue, small(text), "same", "same")
    assert drain(queue) == ["1", "2"]


@dataclass
class Put:
    entry: Entry
    number: int
    has_place: bool
    """Whether its place among those of its topic is where it was put, as no older message gave it one."""


class Queueing(RuleBasedStateMachine):
    """All that is not taken back, replaced or interrupted is sent, what has no key in the order of its topic."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = SendQueue(100 * MIB)
        self.waiting: list[Put] = []
        self.sent: list[Put] = []
        self.count = 0

    @rule(
        topic=st.sampled_from("ab"),
        key=st.sampled_from([None, "k", "l"]),
        message=st.sampled_from([small("x"), large("x")]),
        lane=st.sampled_from([None, URGENT, NORMAL, BULK]),
        both=st.booleans(),
    )
    def put(self, topic: str, key: str | None, message: Message, lane: int | None, both: bool) -> None:
        self.count += 1
        whole = None if key is None else topic + key
        entry = Entry(message, whole, ("a", "b") if both else (topic,))
        self.queue.put(entry, lane)
        self.waiting = [one for one in self.waiting if key is None or one.entry.key != whole or one.entry.begun]
        newest = entry if whole is None else self.queue.newest(whole)
        assert newest is not None
        self.waiting.append(Put(newest, self.count, key is None))

    @rule(index=st.integers(0, 9))
    def take_back(self, index: int) -> None:
        waiting = [one for one in self.waiting if not one.entry.begun]
        if waiting:
            one = waiting[index % len(waiting)]
            assert self.queue.drop(one.entry)
            self.waiting.remove(one)

    @rule()
    def send(self) -> None:
        self.send_one()

    def send_one(self) -> bool:
        sent = self.queue.next(50_012) is not None
        self.sent += [one for one in self.waiting if one.entry.over]
        self.waiting = [one for one in self.waiting if not one.entry.over]
        return sent

    @rule()
    def interrupt(self) -> None:
        self.waiting = [one for one in self.waiting if not one.entry.begun]
        self.queue.interrupt()

    def teardown(self) -> None:
        while self.send_one():
            pass
        assert (self.queue.waiting, len(self.queue), self.waiting) == (0, 0, [])
        for topic in "ab":
            numbers = [one.number for one in self.sent if topic in one.entry.names and one.has_place]
            assert numbers == sorted(numbers)


test_all_that_waits_is_sent_in_order = Queueing.TestCase
test_all_that_waits_is_sent_in_order.settings = settings(max_examples=300, stateful_step_count=10)
