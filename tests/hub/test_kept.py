"""What a hub keeps for all its clients, counted to the byte, and what goes first where that is too much."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

from wslink.hub.away import Away
from wslink.hub.backlog import COUNTED_EACH, LARGE, Backlog
from wslink.hub.mailbox import Mailbox
from wslink.hub.retained import Retained, RetainedValue
from wslink.session.send_queue import OVERHEAD
from wslink.wire.chunks import cut
from wslink.wire.codec import V2, V2_WITH_ARRAYS
from wslink.wire.frames import Frame, Message, text_frame
from wslink.wire.limits import Limits


def small(size: int) -> Message:
    return Message((text_frame(b"x" * size),), size)


def backlog(**limits: Any) -> tuple[Backlog, list[str]]:
    shed: list[str] = []
    return Backlog(lambda: Limits(**limits), lambda: shed.append("shed")), shed


def test_a_message_that_waits_in_many_queues_counts_once_unless_it_is_small() -> None:
    counted, _ = backlog()
    one, other = small(COUNTED_EACH), small(COUNTED_EACH - 1)
    counted.add(one)
    assert counted.bytes == COUNTED_EACH + OVERHEAD
    counted.add(one)
    counted.add(other)
    assert counted.bytes == 2 * COUNTED_EACH - 1 + 3 * OVERHEAD
    counted.add(other)
    assert counted.bytes == 3 * COUNTED_EACH - 2 + 4 * OVERHEAD
    counted.remove(other)
    counted.remove(one)
    assert counted.bytes == 2 * COUNTED_EACH - 1 + 2 * OVERHEAD
    counted.remove(one)
    counted.remove(other)
    assert counted.bytes == 0


def test_messages_with_one_large_buffer_count_it_once() -> None:
    data, short = bytes(LARGE), bytes(LARGE - 1)
    sharing = [cut((b"head", data), 4 + LARGE, 2**20, True) for _ in range(2)]
    apart = [cut((b"head", short), 3 + LARGE, 2**20, True) for _ in range(2)]
    framed = [Message((Frame(True, (b"h", data), LARGE + 1, True),), LARGE + 1) for _ in range(2)]
    for messages, shared in ((sharing, True), (apart, False), (framed, True)):
        counted, _ = backlog()
        counted.add(messages[0])
        assert counted.bytes == messages[0].size + OVERHEAD
        counted.add(messages[1])
        twice = 2 * messages[0].size - (LARGE if shared else 0)
        assert counted.bytes == twice + 2 * OVERHEAD
        for message in messages:
            counted.remove(message)
        assert counted.bytes == 0


async def test_what_is_too_much_is_shed_once_the_loop_comes_to_it() -> None:
    counted, shed = backlog(max_server_backlog=100 + OVERHEAD)
    counted.add(small(100))
    await asyncio.sleep(0)
    assert (shed, counted.over) == ([], False)
    counted.kept += 1
    assert counted.over
    counted.look()
    counted.look()
    assert shed == []
    await asyncio.sleep(0)
    assert shed == ["shed"]
    counted.add(small(1))
    await asyncio.sleep(0)
    assert shed == ["shed"] * 2


def test_beginnings_are_kept_up_to_a_bound() -> None:
    """LIM-18."""
    counted, _ = backlog(max_begun=100)
    forgotten: list[str] = []

    def holder(name: str, begun: int) -> Any:
        def forget() -> None:
            forgotten.append(name)
            counted.release(made)

        made = type("Holder", (), {"begun": begun, "forget_beginnings": lambda self: forget()})()
        return made

    first, second = holder("first", 60), holder("second", 40)
    counted.hold(first)
    counted.hold(second)
    assert (counted.kept, forgotten) == (100, [])
    counted.hold(holder("third", 1))
    assert (counted.kept, forgotten) == (41, ["first"])
    counted.release(second)
    assert counted.kept == 1


def test_of_those_that_are_away_the_largest_crowd_makes_room() -> None:
    away, sessions = Away(), [type("Session", (), {"n": n})() for n in range(4)]
    for session, address in zip(sessions, ("a", "b", "b", "c"), strict=True):
        away.add(session, address)
    assert (len(away), away.first_to_go) == (4, sessions[1])
    away.discard(sessions[1])
    away.discard(sessions[1])
    assert (len(away), away.first_to_go) == (3, sessions[0])
    away.add(sessions[1], "c")
    assert away.first_to_go is sessions[3]


class Member:
    def __init__(self, *rows: int) -> None:
        self.rows = rows

    def matches(self, tags: Any) -> bool:
        return tags["row"] in self.rows


def value(row: int, version: Any = None) -> RetainedValue:
    packed = {V2_WITH_ARRAYS: V2_WITH_ARRAYS.pack({"row": row})}
    return (
        RetainedValue({"row": row}, packed) if version is None else RetainedValue({"row": row}, packed, version, "key")
    )


def test_the_newest_values_are_kept() -> None:
    """SUB-14, LIM-17."""
    kept = Retained(lambda: 2)
    first, second, third = value(1), value(2), value(3)
    kept.keep("a", first)
    kept.keep("b", second)
    assert (len(kept), kept.values()) == (2, [first, second])
    kept.keep("a", third)
    assert kept.values() == [second, third]
    kept.keep("c", first)
    assert kept.values() == [third, first]
    newer = value(4, (9, "z"))
    kept.keep("c", newer)
    kept.keep("c", value(5, (8, "z")))
    assert kept.values() == [third, newer]
    again = value(5, (9, "z"))
    kept.keep("c", again)
    assert kept.values() == [third, again]
    assert (again.version, again.key, first.key) == ((9, "z"), "key", None)


def test_a_new_subscription_gets_what_the_one_before_did_not() -> None:
    kept, values = Retained(lambda: 9), [value(n) for n in range(3)]
    for n, one in enumerate(values):
        kept.keep(n, one)
    assert kept.new_to(Member(0, 2), None) == [(0, values[0]), (2, values[2])]  # type: ignore[arg-type]
    assert kept.new_to(Member(0, 1, 2), Member(1, 2)) == [(0, values[0])]  # type: ignore[arg-type]
    packed = values[0].packed(V2)
    assert V2.unpack(packed) == {"row": 0}
    assert values[0].packed(V2) is packed


async def test_letters_are_called_in_their_order_and_can_be_withdrawn(caplog: pytest.LogCaptureFixture) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    context = contextvars.copy_context()
    context.run(variable.set, "theirs")
    box, called = Mailbox(asyncio.get_running_loop(), context), list[Any]()

    def fail() -> None:
        raise ValueError("no")

    def post() -> None:
        for n in range(3):
            box.post(lambda n=n: called.append((n, variable.get())), f"key {n}")  # type: ignore[misc]
        box.post(fail)
        box.post(lambda: called.append("last"))

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()
    assert (len(box), called) == (5, [])
    assert box.withdraw("key 1")
    assert not box.withdraw("key 1")
    assert not box.withdraw("other")
    for _ in range(3):
        await asyncio.sleep(0)
    assert called == [(0, "theirs"), (2, "theirs"), "last"]
    assert len(box) == 0
    assert caplog.messages == [f"{fail!r} raised"]


async def test_other_callbacks_have_their_turn_between_letters() -> None:
    loop, called = asyncio.get_running_loop(), list[Any]()
    box = Mailbox(loop, contextvars.Context(), -1.0)
    for n in range(3):
        box.post(lambda n=n: called.append(n), n)  # type: ignore[misc]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert 0 < len(called) < 3
    loop.call_soon(called.append, "other")
    assert box.withdraw(2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert [one for one in called if one != "other"] == [0, 1]
    assert len(box) == 0
