"""The bounded queue in front of a client, and clients that do not read."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.conftest import Open, Serve
from tests.peers import Peer
from wslink import App, Limits
from wslink.errors import LimitExceeded
from wslink.session.entries import Entry
from wslink.session.send_queue import BULK, NORMAL, OVERHEAD, URGENT, SendQueue, behind
from wslink.wire.chunks import HEADER_LENGTH, Unchunker, cut
from wslink.wire.frames import Message, text_frame

HELLO = {"secret": "secret"}
MIB = 1024 * 1024


def small(text: str) -> Message:
    frame = text_frame(text.encode())
    return Message((frame,), frame.size)


def large(letter: str, size: int = 100_000) -> Message:
    return cut([letter.encode() * size], size, 4 * MIB, True)


def put(queue: SendQueue, message: Message, *names: str, key: str | None = None, lane: int | None = None) -> Entry:
    entry = Entry(message, key, names)
    queue.put(entry, lane)
    return entry


def drain(queue: SendQueue, chunk: int = 50_012) -> list[str]:
    """What is sent, a large message's chunks by their first letter."""
    texts = []
    while (frame := queue.next(chunk)) is not None:
        assert frame.size <= max(chunk, 16 * 1024)
        data = bytes(frame.joined())
        texts.append(data[HEADER_LENGTH:][:1].decode() if frame.binary else data.decode())
    assert (queue.waiting, len(queue)) == (0, 0)
    return texts


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


async def stalled(peers: Open, url: str) -> Peer:
    """A client that has stopped reading."""
    peer = await peers(url, hello=HELLO)
    peer.socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]
    return peer


@pytest.fixture
async def flowing() -> AsyncIterator[None]:
    yield
    gc.collect()


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


async def test_a_stalled_client_delays_nobody_and_is_disconnected_at_its_bound(serve: Serve, peers: Open) -> None:
    """SUB-12."""
    app = App(secret="secret", limits=Limits(max_backlog=20 * MIB))
    frames = app.topic("test.frame")
    url = await serve(app)
    stopped, healthy = await stalled(peers, url), await peers(url, hello=HELLO)
    payload = bytes(MIB)
    before = psutil.Process().memory_info().rss
    for n in range(80):
        frames.publish({"n": n, "pixels": payload})
        assert (await healthy.publication())["result"]["n"] == n
    assert list(app.clients) == [healthy.client_id]
    assert psutil.Process().memory_info().rss - before < 60 * MIB
    stopped.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    code, reason = await stopped.closed()
    assert (code, reason[:33]) == (1008, "over max_backlog (20971520 bytes)")


async def test_a_stalled_client_of_a_latest_topic_gets_the_newest_when_it_reads_again(
    app: App, serve: Serve, peers: Open
) -> None:
    frames = app.topic("test.frame", delivery="latest")
    url = await serve(app)
    stopped, healthy = await stalled(peers, url), await peers(url, hello=HELLO)
    for n in range(120):
        for row in (0, 1):
            frames.publish({"n": n, "row": row, "pixels": bytes(MIB)}, tags={"row": row})
        for _ in (0, 1):
            await healthy.publication()
    assert len(app.clients) == 2
    stopped.socket._response.connection.transport.resume_reading()  # type: ignore[union-attr]
    seen = []
    while (0, 119) not in seen or (1, 119) not in seen:
        result = (await stopped.publication())["result"]
        seen.append((result["row"], result["n"]))
    assert len(seen) < 60
    assert seen == sorted(seen, key=lambda pair: pair[1])


async def test_a_message_larger_than_the_bound_is_sent_when_nothing_waits(serve: Serve, peers: Open) -> None:
    app = App(secret="secret", limits=Limits(max_outbox=MIB))
    app.method("test.big")(lambda: bytes(9 * MIB))
    peer = await peers(await serve(app), hello=HELLO)
    assert len((await peer.call("test.big"))["result"]) == 9 * MIB


async def test_a_closed_socket_does_not_stop_a_broadcast(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.topic")
    url = await serve(app)
    all_peers = [await peers(url, hello=HELLO) for _ in range(5)]
    all_peers[1].socket._response.connection.transport.abort()  # type: ignore[union-attr]
    topic.publish("news")
    for peer in (all_peers[0], *all_peers[2:]):
        assert (await peer.publication())["result"] == "news"
    while len(app.clients) > 4:
        await asyncio.sleep(0.01)


def test_what_waits_behind_the_largest_message_that_is_being_sent() -> None:
    queue = SendQueue(10 * MIB)
    for letter, size in (("A", 300_000), ("B", 500_000), ("C", 20_000)):
        put(queue, large(letter, size), letter)
    assert behind(queue) == queue.waiting
    for _ in range(2):
        queue.next(50_012)
    assert behind(queue) == queue.waiting - 450_000
    drain(queue)
    assert behind(queue) == 0
