"""Items of a stream and the credit for them, at their bounds, without a connection (STR-2, STR-3, STR-4)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wslink import InvalidParams
from wslink.errors import InvalidRequest, LimitExceeded
from wslink.rpc.streams import AHEAD, Inlet, Outlet, Streams


class Port:
    """Carries streams, and keeps what it was given."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.has_room = True
        self.waited = 0

    def encoded_item(self, items: Any) -> Any:
        return items

    def send_item(self, items: Any, lane: int | None, encoded: Any = None) -> None:
        self.sent.append((encoded or items, lane))

    def send_credit(self, items: Any) -> None:
        self.sent.append(items)

    async def room_again(self) -> None:
        self.waited += 1
        self.has_room = True


def inlet(most: int = 64, max_bytes: int = 100, **options: Any) -> tuple[Port, Inlet]:
    port = Port()
    made = Inlet(port, ("1", None), most, max_bytes, **options)
    made.ask()
    return port, made


async def rest(items: Inlet) -> list[Any]:
    return [item async for item in items]


async def failing(items: Inlet, kind: type[Exception], why: str) -> None:
    with pytest.raises(kind) as caught:
        await rest(items)
    assert str(caught.value) == why
    assert await rest(items) == []  # said once


def test_items_are_sent_with_their_numbers_while_there_is_credit() -> None:
    port = Port()
    outlet = Outlet(port, ("1", None), 2, 10, 1)
    assert (outlet.room, outlet.sent) == (2, 0)
    outlet.send("a")
    assert (outlet.room, outlet.sent) == (1, 1)
    outlet.send("b")
    assert (outlet.room, outlet.sent) == (0, 2)
    outlet.grant(2)
    outlet.grant(1)
    assert outlet.room == 0
    outlet.grant(12)  # 10 ahead
    assert outlet.room == 10
    port.has_room = False
    assert outlet.room == 0
    argument = Outlet(port, ("2", 7), 1, 10)
    argument.send("c")
    argument.end()
    argument.end({"message": "no"})
    assert port.sent == [
        ((3, "1", 0, "a"), 1),
        ((3, "1", 1, "b"), 1),
        ((3, "2", 0, "c", 7), None),
        ((4, "2", 1, None, 7), None),
        ((4, "2", 1, {"message": "no"}, 7), None),
    ]


async def test_a_credit_too_far_ahead_fails_whoever_waits() -> None:
    outlet = Outlet(Port(), ("1", None), 0, 10)
    waiting = asyncio.ensure_future(outlet.wait())
    await asyncio.sleep(0)
    outlet.grant(11)
    with pytest.raises(LimitExceeded) as caught:
        await waiting
    assert str(caught.value) == "a credit of 11 is more than max_stream_window (10) ahead of 0 items sent"
    assert outlet.room == 0


async def test_whoever_sends_waits_for_credit_and_for_the_line() -> None:
    port = Port()
    outlet = Outlet(port, ("1", None), 0, 10)
    waiting = asyncio.ensure_future(outlet.wait())
    await asyncio.sleep(0)
    assert (waiting.done(), port.waited) == (False, 0)
    outlet.grant(1)
    await waiting
    port.has_room = False
    await outlet.wait()
    assert (port.waited, outlet.room) == (1, 1)
    outlet.fail(InvalidParams("over"))
    with pytest.raises(InvalidParams, match="over"):
        await outlet.wait()


def test_an_item_that_is_refused_is_not_sent() -> None:
    def refuse(value: Any) -> None:
        raise InvalidParams("no")

    port = Port()
    outlet = Outlet(port, ("1", None), 2, 10)
    outlet.check = refuse
    with pytest.raises(InvalidParams):
        outlet.send("a")
    assert (outlet.sent, port.sent) == (0, [])


async def test_items_are_read_in_the_order_of_their_numbers() -> None:
    _port, items = inlet()
    for n in (1, 0, 2):
        items.put(n, n, 1)
    items.finish(3)
    assert await rest(items) == [0, 1, 2]
    assert aiter(items) is items


async def test_a_reader_waits_for_what_is_missing() -> None:
    _port, items = inlet()
    reading = asyncio.ensure_future(rest(items))
    for n in (1, 0):
        await asyncio.sleep(0)
        items.put(n, n, 1)
    await asyncio.sleep(0)
    items.finish(2)
    assert await asyncio.wait_for(reading, 1) == [0, 1]


@pytest.mark.parametrize(
    ("most", "size", "credits"),
    [
        (64, 1, [4, 65]),
        (64, AHEAD // 10, [4, 11]),
        (64, AHEAD, [4]),
        (3, 1, [3, 4]),
        (0, 1, [1, 2]),
        (1000, 1, [4, 65]),
    ],
)
async def test_the_window_follows_the_size_of_items(most: int, size: int, credits: list[int]) -> None:
    port, items = inlet(most, 10 * AHEAD)
    assert port.sent == [(5, "1", credits[0])]
    items.put(0, "a", size)
    assert await anext(items) == "a"
    assert [one[2] for one in port.sent] == credits


async def test_more_is_asked_for_once_half_of_the_window_is_free() -> None:
    port, items = inlet(window=4)
    for n in range(4):
        items.put(n, n, 1)
    asked = []
    for n in range(4):
        assert await anext(items) == n
        asked.append([one[2] for one in port.sent])
    assert asked == [[], [6], [6], [6, 8]]
    items.finish(4)
    items.ask()
    items.renew()
    assert len(port.sent) == 2


async def test_a_credit_can_be_said_again() -> None:
    port = Port()
    argument = Inlet(port, ("1", 3), 64, 100)
    argument.renew()
    assert port.sent == []
    argument.ask()
    argument.renew()
    assert port.sent == [(5, "1", 4, 3)] * 2
    argument.close()
    argument.ask()
    argument.renew()
    assert len(port.sent) == 2
    port, given = inlet(window=2)
    assert port.sent == []  # the window is known at both ends
    given.renew()
    assert port.sent == [(5, "1", 2)]


@pytest.mark.parametrize(
    ("puts", "kind", "why"),
    [
        ([(4, 1)], LimitExceeded, "item 4 is beyond the credit of 4 items (STR-2)"),
        ([(1, 1), (1, 1)], InvalidRequest, "item 1 was sent twice"),
        ([(1, 60), (2, 41)], LimitExceeded, "over max_message (100 bytes) of items wait to be read (LIM-3)"),
    ],
)
async def test_an_item_that_must_not_come_ends_the_stream(puts: Any, kind: Any, why: str) -> None:
    _port, items = inlet()
    for n, size in puts:
        items.put(n, n, size)
    items.put(0, "late", 1)  # is beyond the end
    await failing(items, kind, why)


async def test_items_at_the_bounds_may_come() -> None:
    _port, items = inlet()
    items.put(0, 0, 60)
    items.put(1, 1, 40)
    assert await anext(items) == 0
    items.put(2, 2, 60)
    assert [await anext(items) for _ in range(2)] == [1, 2]
    items.put(3, 3, 1000)  # one alone
    items.finish(4)
    assert await rest(items) == [3]
    items.put(4, 4, 1)
    assert await rest(items) == []


async def test_an_item_that_was_read_must_not_come_again() -> None:
    _port, items = inlet()
    items.put(0, 0, 1)
    assert await anext(items) == 0
    items.put(0, 0, 1)
    await failing(items, InvalidRequest, "item 0 was sent twice")


async def test_the_end_comes_behind_the_items() -> None:
    _port, items = inlet()
    items.put(0, 0, 1)
    items.finish(2, InvalidParams("failed"))
    items.finish(1)  # changes nothing
    items.put(1, 1, 1)
    items.put(2, 2, 1)  # beyond the end
    assert [await anext(items) for _ in range(2)] == [0, 1]
    await failing(items, InvalidParams, "failed")


async def test_an_end_beyond_the_credit_is_refused() -> None:
    _port, items = inlet()
    items.put(0, 0, 1)
    items.finish(5)
    assert await anext(items) == 0
    await failing(items, InvalidRequest, "the stream has 5 items, beyond the credit of 4 (STR-2)")
    _port, items = inlet()
    items.finish(4)
    items.stop(InvalidParams("gone"))
    await failing(items, InvalidParams, "gone")


async def test_a_stream_that_stops_gives_what_has_come() -> None:
    _port, items = inlet()
    for n in (0, 1, 3):
        items.put(n, n, 1)
    items.stop(InvalidParams("gone"))
    items.stop(InvalidParams("again"))
    assert [await anext(items) for _ in range(2)] == [0, 1]
    await failing(items, InvalidParams, "gone")
    _port, items = inlet()
    items.stop()
    assert await rest(items) == []


async def test_a_reader_that_closes_gets_no_more() -> None:
    _port, items = inlet()
    items.put(0, 0, 1)
    reading = asyncio.ensure_future(rest(inlet()[1]))
    await items.aclose()
    items.put(1, 1, 1)
    assert await rest(items) == []
    reading.cancel()


async def test_an_item_that_the_reader_refuses_closes_the_stream() -> None:
    def check(value: Any, n: int) -> Any:
        if n == 1:
            raise InvalidParams(f"item {n}")
        return [value, n]

    _port, items = inlet(check=check)
    for n in range(3):
        items.put(n, "x", 1)
    assert await anext(items) == ["x", 0]
    await failing(items, InvalidParams, "item 1")


def test_the_streams_of_a_connection() -> None:
    port = Port()
    table = Streams(port, 8, 100)
    call = table.open("1")
    with pytest.raises(InvalidRequest) as caught:
        table.open("1")
    assert str(caught.value) == "a call with streams of the id '1' is under way"
    outlet, items = call.outlet(None, 3, 2), call.inlet(5)
    assert (outlet.room, table.reading, call.id) == (3, 1, "1")
    with pytest.raises(InvalidParams) as refused:
        call.inlet(5)
    assert str(refused.value) == "two arguments are the stream 5 (STR-4)"
    assert table.of("1") is call
    other = table.of("2")
    other.inlet(None)
    assert (table.reading, table.of("2")) == (2, other)
    other.forget()
    other.forget()
    assert (table.reading, table.of("2") is other) == (1, False)
    table.take([5, "1", 6], 0)
    assert outlet.room == 6
    outlet.send("x")
    assert port.sent == [((3, "1", 0, "x"), 2)]
    items.ask()
    table.renew()
    assert port.sent[1:] == [(5, "1", 4, 5)] * 2
    call.close()
    assert table.reading == 0


async def test_messages_of_streams_reach_their_ends() -> None:
    table = Streams(Port(), 8, 100)
    call = table.open("1")
    argument, result = call.inlet(5), call.inlet(None, 4)
    argument.ask()
    table.take([3, "1", 0, "x", 5], 10)
    table.take([4, "1", 1, None, 5], 10)
    table.take([3, "1", 0, "y"], 10)
    table.take([4, "1", 0, None], 10)  # a result ends with its response
    table.take([3, "unknown", 0, "y"], 10)
    table.take([3, "1", 0, "y", 6], 10)
    table.take([5, "1", 0, 6], 10)
    assert await rest(argument) == ["x"]
    assert await anext(result) == "y"
    table.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await anext(result)
    out = table.open("2").outlet(None)
    table.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await out.wait()


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ({"message": "no"}, "the stream of an argument failed where it is sent: 'no'"),
        ("text", "the stream of an argument failed where it is sent: 'text'"),
        ({}, "the stream of an argument failed where it is sent: None"),
    ],
)
async def test_the_end_of_an_argument_may_be_an_error(error: Any, why: str) -> None:
    table = Streams(Port(), 8, 100)
    argument = table.open("1").inlet(0)
    table.take([4, "1", 0, error, 0], 10)
    await failing(argument, InvalidParams, why)


ID = "the id of a call must be a string of at most 1024 characters"
END = "an item has a value, and the end of a stream an error or null"


@pytest.mark.parametrize(
    ("items", "why"),
    [
        ([3], ID),
        ([3, 7, 0, "x"], ID),
        ([3, "x" * 1025, 0, "x"], ID),
        ([3, "1"], "the number of items must be an integer of 0 or more, not None"),
        ([3, "1", -1, "x"], "the number of items must be an integer of 0 or more, not -1"),
        ([3, "1", 0], END),
        ([4, "1", 0], END),
        ([3, "1", 0, "x", "y"], "the key of a stream must be an integer of 0 or more, not y"),
        ([5, "1", 0, "y"], "the key of a stream must be an integer of 0 or more, not y"),
    ],
)
def test_malformed_messages_of_streams_are_refused(items: Any, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        Streams(Port(), 8, 100).take(items, 10)
    assert str(caught.value) == why
