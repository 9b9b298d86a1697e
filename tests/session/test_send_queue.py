"""The bounded queue in front of a client."""

from __future__ import annotations

import re

import pytest

from tests.session.queueing import MIB, drain, large, put, small
from wslink import Limits
from wslink.errors import LimitExceeded
from wslink.session.entries import Entry
from wslink.session.send_queue import BULK, OVERHEAD, URGENT, SendQueue, behind
from wslink.wire.chunks import HEADER_LENGTH, Unchunker, cut
from wslink.wire.frames import Message, text_frame


def test_a_newer_message_takes_the_place_of_the_one_it_replaces() -> None:
    """SUB-13."""
    queue = SendQueue(10_000)
    for key, text in ((None, "a"), ("k", "b1"), (None, "c"), ("k", "b2"), ("l", "d"), ("k", "b3")):
        put(queue, small(text), key=key)
    assert queue.waiting == 5 + 4 * OVERHEAD
    assert queue.dropped == 2
    assert drain(queue) == ["a", "b3", "c", "d"]


@pytest.mark.parametrize("sizes", [(10, 100_000), (100_000, 10), (100_000, 200_000)])
def test_a_newer_message_of_another_size_takes_its_place_too(sizes: tuple[int, int]) -> None:
    queue = SendQueue(10 * MIB)
    older, newer = (cut([letter * size], size, 4 * MIB, True) for letter, size in zip((b"o", b"n"), sizes, strict=True))
    put(queue, older, "topic", key="k")
    put(queue, newer, "topic", key="k")
    assert len(queue) == queue.dropped == 1
    assert set(drain(queue)) == {"n"}


def test_a_message_that_has_begun_is_not_replaced() -> None:
    queue = SendQueue(10_000)
    frames = (text_frame(b"1/2"), text_frame(b"2/2"))
    put(queue, Message(frames, 6), key="k")
    assert queue.next(1000) is frames[0]
    put(queue, small("new"), key="k")
    assert drain(queue) == ["2/2", "new"]


def test_the_bound_is_on_what_waits() -> None:
    queue = SendQueue(OVERHEAD + 10)
    put(queue, small("x" * 50_000))
    with pytest.raises(LimitExceeded, match=r"max_backlog \(1034 bytes\)"):
        put(queue, small("y"))
    assert drain(queue) == ["x" * 50_000]
    put(queue, small("z"))


def test_a_message_that_is_being_sent_does_not_count_as_waiting() -> None:
    queue = SendQueue(3 * OVERHEAD + 10)
    frames = (text_frame(b"x" * 50), text_frame(b"y" * 50))
    put(queue, Message(frames, 100))
    assert queue.next(1000) is frames[0]
    for n in range(2):
        put(queue, small(str(n) * 5))
    with pytest.raises(LimitExceeded):
        put(queue, small("2" * 500))
    assert drain(queue) == ["y" * 50, "00000", "11111"]


def test_small_messages_pass_large_ones_and_keep_their_order() -> None:
    """LANE-2."""
    queue = SendQueue(10 * MIB)
    put(queue, large("L"))
    assert queue.next(50_012) is not None
    for text in ("1", "2", "3"):
        put(queue, small(text))
    assert drain(queue) == ["1", "2", "3", "L"]


def test_a_response_that_is_given_up_is_not_sent() -> None:
    """CAN-2, CAN-3."""
    queue = SendQueue(10 * MIB)
    for id_ in "ABC":
        put(queue, large(id_), id_)
    put(queue, large("p"), "topic", "B")
    assert queue.next(50_012) is not None
    for id_ in ("B", "A", "A", "unknown"):
        if (response := queue.named.response(id_)) is not None:
            queue.give_up(response)
    assert queue.waiting == large("C").size + large("p").size + 3 * OVERHEAD
    unchunker = Unchunker(Limits())
    unchunker.accepts_ends = True
    sent = list(iter(lambda: queue.next(50_012), None))
    assert [frame.size for frame in sent if frame.size == HEADER_LENGTH] == [HEADER_LENGTH]
    assert {bytes(text)[:1] for frame in sent if (text := unchunker.receive(bytes(frame.joined())))} == {b"C", b"p"}
    assert (queue.waiting, len(queue), unchunker.partial) == (0, 0, {})


def test_a_small_response_that_is_given_up_is_not_sent() -> None:
    queue = SendQueue(10 * MIB)
    put(queue, small("before"))
    put(queue, small("response"), "id")
    put(queue, small("publication"), "topic", "id")
    response = queue.named.response("id")
    assert response is not None
    queue.give_up(response)
    assert drain(queue) == ["before", "publication"]


def test_large_messages_take_turns_a_chunk_each() -> None:
    """LANE-1."""
    queue = SendQueue(10 * MIB)
    for letter in "ABC":
        put(queue, large(letter), letter)
    assert drain(queue) == ["A", "B", "C", "A", "B", "C"]


def test_the_messages_of_one_topic_go_one_after_the_other() -> None:
    queue = SendQueue(10 * MIB)
    for letter, topic in (("a", "x"), ("b", "x"), ("c", "y")):
        put(queue, large(letter), topic)
    put(queue, small("d"), "x")
    put(queue, small("e"), "z")
    assert drain(queue) == ["e", "a", "c", "a", "c", "b", "b", "d"]


def test_a_large_message_waits_for_a_small_one_of_its_topic_and_holds_no_other_up() -> None:
    queue = SendQueue(10 * MIB)
    put(queue, small("1"), "x")
    put(queue, large("L"), "x")
    put(queue, small("2"), "y")
    put(queue, small("3"), "x")
    assert drain(queue) == ["1", "2", "L", "L", "3"]


def test_what_a_call_publishes_waits_behind_its_large_response() -> None:
    """LANE-4."""
    queue = SendQueue(10 * MIB)
    put(queue, large("R"), "rpc:1")
    put(queue, small("p"), "topic", "rpc:1")
    put(queue, small("q"), "topic")
    put(queue, small("other"), "other")
    assert drain(queue) == ["other", "R", "R", "p", "q"]


def test_lanes_that_are_named_count_before_sizes() -> None:
    queue = SendQueue(10 * MIB)
    put(queue, small("bulk"), lane=BULK)
    put(queue, small("normal"))
    put(queue, large("U"), lane=URGENT)
    assert drain(queue) == ["U", "U", "normal", "bulk"]


def test_bulk_is_not_starved_by_small_messages() -> None:
    """LANE-3."""
    queue = SendQueue(10 * MIB)
    put(queue, large("L"))
    for _ in range(30):
        put(queue, small("s" * 16_000))
    order = "".join(text[0] for text in drain(queue, 16_384))
    assert "L" in order[:12]
    assert re.search("s{10}", order.rstrip("s")) is None


def test_a_closed_gate_holds_up_its_stream_alone() -> None:
    class Window:
        open = False

    window, queue, begun = Window(), SendQueue(10 * MIB), []
    for text in ("1", "2"):
        queue.put(Entry(small(text), None, ("x",), (window,), lambda entry: begun.append(entry.message.size)))
    put(queue, small("free"), "y")
    frame = queue.next(1000)
    assert frame is not None
    assert frame.parts == (b"free",)
    assert queue.next(1000) is None
    assert (len(queue), begun) == (2, [])
    window.open = True
    assert drain(queue) == ["1", "2"]
    assert begun == [1, 1]


def test_a_message_can_be_taken_back_until_it_begins() -> None:
    queue = SendQueue(10 * MIB)
    first, second = put(queue, large("A"), "a"), put(queue, small("b"), "b", key="b")
    assert queue.drop(second)
    assert queue.next(50_012) is not None
    assert not queue.drop(first)
    assert drain(queue) == ["A"]


def test_what_waits_behind_the_largest_message_that_is_being_sent() -> None:
    queue = SendQueue(10 * MIB)
    for letter, size in (("A", 300_000), ("B", 500_000), ("C", 20_000)):
        put(queue, large(letter, size), letter)
    assert behind(queue) == queue.waiting
    for _ in range(2):
        queue.next(50_012)
    assert behind(queue) == queue.waiting - 400_000  # of the other, what was taken counts, too
    drain(queue)
    assert behind(queue) == 0
