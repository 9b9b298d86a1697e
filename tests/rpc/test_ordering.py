"""What a running call publishes comes behind its response (ORD-2, ORD-3): the order, without a server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wslink import Call
from wslink.rpc import ordering
from wslink.rpc.call import current_call
from wslink.rpc.ordering import ResponseFirst


def call_of(id_: str) -> Call:
    return Call(None, "a.b", None, id_)  # type: ignore[arg-type]


class Order:
    def __init__(self) -> None:
        self.first = ResponseFirst()
        self.seen: list[Any] = []

    def submit(self, what: Any, call: Call | None = None) -> None:
        token = current_call.set(call)
        try:
            self.first.submit(lambda: self.seen.append(what))
        finally:
            current_call.reset(token)

    def submit_of(self, call: Call, what: Any) -> None:
        self.first.submit_of(call, lambda: self.seen.append(what))


async def test_what_a_call_publishes_is_held_until_it_responds() -> None:
    order, call = Order(), call_of("1")
    order.submit("before")
    order.submit(1, call)
    order.submit(2, call)
    assert (order.seen, order.first.holding) == (["before"], True)
    order.first.release(call_of("other"))
    assert order.seen == ["before"]
    call.answered = True
    order.first.release(call)
    assert (order.seen, order.first.holding) == (["before", 1, 2], False)
    order.submit(3, call)
    assert order.seen == ["before", 1, 2, 3]


async def test_what_another_publishes_lets_it_go() -> None:
    order, call, other = Order(), call_of("1"), call_of("2")
    order.submit(1, call)
    order.submit(2)
    assert order.seen == [1, 2]
    order.submit(3, call)
    order.submit(4, other)
    assert (order.seen, order.first.holding) == ([1, 2, 3], True)
    order.submit_of(call, 5)
    assert order.seen == [1, 2, 3, 4]
    order.submit(6, call)
    assert order.seen == [1, 2, 3, 4]
    order.first.release()
    assert order.seen == [1, 2, 3, 4, 5, 6]


async def test_it_is_let_go_when_the_step_has_ended() -> None:
    order, call = Order(), call_of("1")
    order.submit(1, call)
    await asyncio.sleep(0)
    assert (order.seen, order.first.holding) == ([1], False)
    order.submit(2, call)
    order.first.release(call)
    order.submit(3, call_of("2"))  # the turn of the first call's step has been asked for, and lets go of its own alone
    assert order.seen == [1, 2]
    await asyncio.sleep(0)
    assert order.seen == [1, 2, 3]


async def test_a_step_elsewhere_is_waited_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    order, call = Order(), call_of("1")
    monkeypatch.setattr(ordering, "PATIENCE", 60)
    order.submit_of(call, 1)
    for _ in range(3):
        await asyncio.sleep(0)
    assert (order.seen, order.first.holding) == ([], True)
    order.first.release(call)
    monkeypatch.setattr(ordering, "PATIENCE", 0)
    order.submit_of(call, 2)
    assert order.seen == [1]
    await asyncio.sleep(0.001)
    assert (order.seen, order.first.holding) == ([1, 2], False)
    order.submit_of(call, 3)  # overdue: it is not waited for again
    assert order.seen == [1, 2, 3]
    order.first.suspended(call)
    order.submit_of(call, 4)
    assert (order.seen, order.first.holding) == ([1, 2, 3], True)
    order.first.suspended(call)
    assert order.seen == [1, 2, 3, 4]
    await asyncio.sleep(0.001)
    monkeypatch.setattr(ordering, "PATIENCE", 60)
    order.submit_of(call, 5)
    assert order.seen == [1, 2, 3, 4]  # the timer of what was let go is over
    call.answered = True
    order.submit_of(call, 6)
    assert order.seen == [1, 2, 3, 4, 6]
    order.first.release()


async def test_an_ended_step_leaves_that_of_another_call_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    order, call, other = Order(), call_of("1"), call_of("2")
    monkeypatch.setattr(ordering, "PATIENCE", 0)
    order.submit_of(call, 1)
    await asyncio.sleep(0.001)
    order.submit_of(other, 2)
    order.first.suspended(other)
    order.submit_of(call, 3)
    assert order.seen == [1, 2, 3]


async def test_what_is_published_while_others_are_told_comes_behind() -> None:
    order = Order()

    def deliver() -> None:
        order.submit("inner")
        order.seen.append("outer")

    order.first.submit(deliver)
    assert order.seen == ["outer", "inner"]

    def fail() -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        order.first.submit(fail)
    order.submit("again")
    assert order.seen == ["outer", "inner", "again"]
