"""Frames that wait to be taken, at each bound (TURN-1 to TURN-3, LIM-16), and acknowledgements, when they are due."""

from __future__ import annotations

import asyncio
from typing import Any

import msgpack
import pytest

from tests.session.test_intake import Client
from wslink.errors import ParseError
from wslink.session import acknowledgements, intake, stall
from wslink.session.acknowledgements import Acknowledgements, Due
from wslink.session.intake import CREDIT, OVERHEAD, PAUSE_ABOVE, RESUME_BELOW, UNLIMITED, Turns
from wslink.session.numbering import Received
from wslink.session.stall import LOOKS, Progress, StallWatch
from wslink.session.state import CLOSED, NEW
from wslink.wire.chunks import HEADER


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn of the event loop takes long."""
    monkeypatch.setattr(intake, "monotonic", lambda: 100.0)


def behind() -> Client:
    client = Client(Turns())
    client.behind = True
    client.credit = 0
    return client


def frame(value: Any) -> bytes:
    text = msgpack.packb(value)
    return HEADER.pack(1, 0, len(text)) + text


HALF = bytes(PAUSE_ABOVE // 2 - OVERHEAD)


async def test_reading_pauses_above_a_bound_and_goes_on_below_another() -> None:
    client = behind()
    for _ in range(2):
        client.receive(True, HALF)
    assert (client.intake.waiting, client.log, client.credit) == (PAUSE_ABOVE, [], -1)
    client.receive(True, b"x")
    assert (client.intake.waiting, client.log, client.intake.held) == (PAUSE_ABOVE + OVERHEAD + 1, ["pause"], 3)
    client.receive(True, b"x")
    assert client.log == ["pause"]
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert [len(one) for one in client.taken] == [len(HALF), len(HALF), 1, 1]
    assert (client.log, client.intake.waiting, client.intake.held) == (["pause", "cork", "uncork", "resume"], 0, 0)
    assert client.credit == CREDIT
    assert not client.intake.holds(True, b"x")


async def test_what_waited_is_given_up() -> None:
    client = behind()
    client.receive(True, HALF)
    client.receive(False, "text")
    client.receive(True, memoryview(bytearray(HALF)))
    assert client.log == ["pause"]
    assert client.intake.give_up() == [(True, HALF), (False, "text"), (True, HALF)]
    assert (client.log, client.intake.waiting, client.intake.held) == (["pause", "resume"], 0, 0)
    assert client.intake.give_up() == []
    assert client.log == ["pause", "resume"]


async def test_what_waits_is_bounded_exactly() -> None:
    client = behind()
    client.receive(True, bytes(1_000_000 - OVERHEAD))
    assert client.log == ["pause"]
    client.receive(True, b"")
    why = "over max_held (1000000 bytes) of calls wait: the client sends too fast"
    assert client.log == ["pause", f"close 1008 {why}"]
    early = behind()
    early.state = NEW
    early.receive(True, b"")
    assert early.log == ["pause"]
    gone = behind()
    gone.state = CLOSED
    assert not gone.intake.holds(True, b"x")


async def test_acknowledgements_and_responses_pass_what_waits() -> None:
    client = behind()
    call, extension, response = frame({"id": "x", "method": "a"}), frame([1, 2, 3]), frame({"id": "x", "result": 1})
    for one in (call, extension, response):
        client.receive(True, one)
    assert client.taken == [extension]
    client.awaits_response = True
    client.receive(True, response)
    assert client.taken == [extension, response]
    assert client.intake.held == 2
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert client.taken[2:] == [call, response]
    assert client.log == ["cork", "uncork"]


async def test_more_is_read_where_a_response_is_waited_for() -> None:
    client = behind()
    for _ in range(3):
        client.receive(True, HALF)
    assert client.log == ["pause"]
    client.intake.read_on()
    assert client.log == ["pause"]
    client.awaits_response = True
    client.intake.read_on()
    assert client.log == ["pause", "resume"]  # half of what may wait
    client.intake.read_on()
    assert client.log == ["pause", "resume"]
    client.receive(True, bytes(500_000 - client.intake.waiting - OVERHEAD))
    assert client.log == ["pause", "resume"]
    client.receive(True, b"")
    assert client.log == ["pause", "resume", "pause"]


async def test_calls_are_cancelled_while_they_wait() -> None:
    client = behind()
    assert not client.intake.cancel("x")
    assert not client.intake.has_cancelled
    for n in range(3):
        client.receive(True, b"%d" % n)
    assert client.intake.cancel("x")
    assert client.intake.has_cancelled
    assert client.intake.was_cancelled("x")
    assert not client.intake.was_cancelled("x")
    assert client.intake.cancel("y")
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert not client.intake.has_cancelled


async def test_reading_stays_paused_above_the_lower_bound() -> None:
    client = behind()
    sizes = [PAUSE_ABOVE, RESUME_BELOW - 2 * OVERHEAD, 0]
    for size in sizes:
        client.receive(True, bytes(size))
    client.behind = False
    taken = client.receive

    def one_at_a_time(binary: bool, data: Any) -> None:
        taken(binary, data)
        client.behind = True

    client.receive = one_at_a_time  # type: ignore[method-assign]
    client.intake.wake()
    await asyncio.sleep(0)
    assert (client.intake.waiting, client.log, client.credit) == (RESUME_BELOW, ["pause", "cork", "uncork"], -1)
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert client.log == ["pause", "cork", "uncork", "cork", "uncork"]
    assert len(client.taken) == 2
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert len(client.taken) == 3
    client.behind = False
    client.intake.wake()
    await asyncio.sleep(0)
    assert client.log[-1] == "resume"
    assert UNLIMITED > 10**18


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(acknowledgements, "monotonic", found)
    return found


class Sent:
    """What is acknowledged, and whether it can be sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.takes = True

    def __call__(self, message: Any) -> bool:
        if self.takes:
            self.messages.append(msgpack.unpackb(bytes(message.frames[0].joined())[12:]))
        return self.takes


async def test_when_what_arrives_is_acknowledged(clock: Clock) -> None:
    """FLOW-3, RES-5."""
    sent = Sent()
    due = Acknowledgements(sent, Due(1000, 5.0, 0.01))
    assert due.count(10)
    assert sent.messages == [[1, 10, 0]]  # nothing was for long
    clock.now += 4.9
    assert due.count(989)
    assert due.count(10)
    assert sent.messages == [[1, 10, 0]]
    assert due.count(1)
    assert sent.messages[1:] == [[1, 1010, 0]]
    clock.now += 5
    due.count(1)
    assert sent.messages[2:] == [[1, 1011, 0]]
    clock.now += 1
    due.count(5)
    clock.now += 0.25
    due.send()
    assert sent.messages[3:] == [[1, 1016, 250]]
    due.count(7)
    await asyncio.sleep(0.03)
    assert sent.messages[4:] == [[1, 1023, 0]]
    await asyncio.sleep(0.03)
    assert len(sent.messages) == 5
    due.count(7)
    due.restart()
    await asyncio.sleep(0.03)
    assert (len(sent.messages), due.received) == (5, 0)


async def test_what_could_not_be_sent_is_tried_again(clock: Clock) -> None:
    sent = Sent()
    sent.takes = False
    due = Acknowledgements(sent, Due(10, 5.0, 0.01))
    due.count(10)
    assert sent.messages == []
    sent.takes = True
    await asyncio.sleep(0.03)
    assert sent.messages == [[1, 10, 0]]
    due.stop()


async def test_numbers_are_acknowledged_with_it(clock: Clock) -> None:
    sent, numbers = Sent(), Received(2)
    due = Acknowledgements(sent, Due(10**6, 10**6, 10), numbers)
    assert [due.count(5, n) for n in (1, 0, 3, 3, 1, 2)] == [True, True, True, False, False, True]
    with pytest.raises(ParseError) as caught:
        due.count(5, 7)
    assert caught.value.message == "message number 7 leaves more than 2 missing"
    due.count(5, 6)
    due.send()
    due.send(True)
    assert sent.messages == [[1, 40, 0, 6, [4, 5]], [1, 40, 0, 6, [4, 5], True]]
    numbers.held = 1
    assert due.count(5, 8)
    assert numbers.report() == (3, [])  # many are missing: a number below which none is
    due.stop()


async def test_a_client_that_takes_nothing_is_noticed() -> None:
    stalled: list[float] = []
    progress = [0]
    watch = StallWatch(lambda: Progress(progress[0]), 0.05, lambda: 1, stalled.append)
    idle = StallWatch(lambda: Progress(0), 0.02, lambda: 0, stalled.append)
    never = StallWatch(lambda: Progress(0), 0, lambda: 1, stalled.append)
    assert (LOOKS, stall.SLOWEST) == (5, 16 * 1024)
    for each in (watch, idle, never):
        each.begin()
    for _ in range(15):
        await asyncio.sleep(0.005)
        progress[0] += 1
    assert stalled == []
    for _ in range(500):
        if stalled:
            break
        await asyncio.sleep(0.01)
    assert stalled == [pytest.approx(0.05)]
