"""Streamed arguments, alone and beside streamed results, as a raw client sees them (STR)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Optional

import msgpack
import numpy
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.streaming import CANCEL, CREDIT, END, FEATURES, ITEM, Counting, CountingInThread, ask, items, stream
from tests.waiting import until
from wslink import App, Limits


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": FEATURES})


class Sink:
    """A method that takes a stream of bytes, and another of numbers."""

    def __init__(self, app: App) -> None:
        self.taken = list[Any]()
        self.go = asyncio.Event()
        self.go.set()

        @app.method("test.sink")
        async def sink(data: AsyncIterator[bytes], name: str = "") -> int:
            total = 0
            await self.go.wait()
            async for part in data:
                self.taken.append(part)
                total += len(part)
                await self.go.wait()
            return total

        @app.method("test.numbers")
        async def numbers(values: AsyncIterable[int]) -> int:
            total = 0
            async for value in values:
                total += value
            return total


async def credit_of(peer: Peer, id_: str, key: int) -> int:
    """The next credit of an argument."""
    kind, of, credit, k = (await items(peer, 1))[0]
    assert (kind, of, k) == (CREDIT, id_, key)
    return int(credit)


async def test_an_argument_is_a_stream(app: App, peer: Peer) -> None:
    """STR-4."""
    sink = Sink(app)
    id_ = await peer.start("test.sink", stream(7), name="x")
    assert await credit_of(peer, id_, 7) == 4
    for n in range(4):
        await peer.extension(ITEM, id_, n, b"ab", 7)
    assert await credit_of(peer, id_, 7) > 4
    await peer.extension(END, id_, 4, None, 7)
    assert (await peer.answer(id_))["result"] == 8
    assert sink.taken == [b"ab"] * 4
    await peer.extension(ITEM, id_, 4, b"late", 7)
    await peer.extension(END, id_, 5, None, 7)
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601


async def test_items_that_overtook_each_other_are_read_in_order(app: App, peer: Peer) -> None:
    """STR-7."""
    sink = Sink(app)
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    await peer.extension(END, id_, 3, None, 0)
    for n in (2, 0, 1):
        await peer.extension(ITEM, id_, n, bytes([n]), 0)
    assert (await peer.answer(id_))["result"] == 3
    assert sink.taken == [b"\0", b"\1", b"\2"]


async def test_a_method_that_does_not_read_gives_no_more_credit(app: App, peer: Peer) -> None:
    """STR-4."""
    sink = Sink(app)
    sink.go.clear()
    id_ = await peer.start("test.sink", stream(0))
    assert await credit_of(peer, id_, 0) == 4
    for n in range(4):
        await peer.extension(ITEM, id_, n, b"x", 0)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(peer._next(), 0.1)
    sink.go.set()
    assert await credit_of(peer, id_, 0) > 4


async def test_the_credit_follows_the_size_of_the_items(app: App, peer: Peer) -> None:
    """STR-4."""
    Sink(app)
    large = await peer.start("test.sink", stream(0))
    assert await credit_of(peer, large, 0) == 4
    sent = 0
    for n in range(4):
        await peer.extension(ITEM, large, n, bytes(3_000_000), 0)
        sent += 1
    await peer.extension(CANCEL, large)
    await peer.answer(large)
    assert max((item[2] for item in peer.extensions if item[0] == CREDIT), default=0) <= sent + 2


async def test_items_that_wait_hold_no_more_than_a_message_may(serve: Serve, peers: Open) -> None:
    """STR-4, LIM-3."""
    app = App(secret="secret", limits=Limits(max_message=100_000))
    sink = Sink(app)
    peer = await peers(await serve(app), hello={"features": FEATURES})
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    await peer.extension(ITEM, id_, 0, b"x", 0)
    assert await credit_of(peer, id_, 0) > 10
    sink.go.clear()
    for n in range(1, 5):
        await peer.extension(ITEM, id_, n, bytes(60_000), 0)
    await asyncio.sleep(0.05)
    sink.go.set()
    error = (await peer.answer(id_))["error"]
    assert (error["code"], "max_message" in error["message"]) == (-32003, True)
    assert len(sink.taken) <= 3
    id_ = await peer.start("test.sink", stream(0))
    await peer.extension(ITEM, id_, 0, bytes(90_000), 0)  # one alone
    await peer.extension(END, id_, 1, None, 0)
    assert (await peer.answer(id_))["result"] == 90_000


async def test_a_call_opens_no_more_streams_than_its_method_takes(app: App, peer: Peer) -> None:
    """STR-4."""
    Sink(app)
    app.method("test.any")(lambda *values: len(values))
    error = (await peer.call("test.sink", *map(stream, range(10_000))))["error"]
    assert error["code"] == -32602
    assert (await peer.call("test.any", *map(stream, range(10_000))))["result"] == 10_000
    assert not peer.extensions


@pytest.mark.parametrize(
    ("sent", "code", "why"),
    [
        ([(4, b"x")], -32003, "beyond the credit"),
        ([(10**15, b"x")], -32003, "beyond the credit"),
        ([(0, b"x"), (0, b"x")], -32600, "sent twice"),
        ([(0, "text")], -32602, "item 0 of 'data': Expected `bytes`, got `str`"),
        ([(0, b"x"), (1, [1])], -32602, "item 1 of 'data'"),
    ],
)
async def test_items_that_must_not_come_fail_the_call(
    app: App, peer: Peer, sent: list[tuple[int, Any]], code: int, why: str
) -> None:
    """STR-2, STR-5."""
    sink = Sink(app)
    sink.go.clear()
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    for n, value in sent:
        await peer.extension(ITEM, id_, n, value, 0)
    await asyncio.sleep(0.02)
    sink.go.set()
    error = (await peer.answer(id_))["error"]
    assert error["code"] == code
    assert why in error["message"]
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601


async def test_an_end_beyond_the_credit_fails_the_call(app: App, peer: Peer) -> None:
    """STR-2."""
    Sink(app)
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    await peer.extension(END, id_, 10**9, None, 0)
    assert (await peer.answer(id_))["error"]["code"] == -32600


async def test_an_error_of_the_sender_reaches_the_method(app: App, peer: Peer) -> None:
    """STR-4."""
    Sink(app)
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    await peer.extension(ITEM, id_, 0, b"x", 0)
    await peer.extension(END, id_, 1, {"code": -32001, "message": "the disk is full"}, 0)
    error = (await peer.answer(id_))["error"]
    assert (error["code"], "the disk is full" in error["message"]) == (-32602, True)


async def test_what_names_no_call_or_stream_is_ignored(app: App, peer: Peer) -> None:
    """STR-4."""
    Sink(app)
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    for n in range(300):  # more than max_malformed
        await peer.extension(ITEM, id_, n, b"x", 1 + n)
        await peer.extension(ITEM, f"rpc:c0:{n}", 0, b"x", 0)
        await peer.extension(ITEM, id_, n, b"x")
        await peer.extension(END, id_, n, None, 1 + n)
        await peer.extension(CREDIT, id_, n, n)
    await peer.extension(END, id_, 0, None, 0)
    assert (await peer.answer(id_))["result"] == 0


@pytest.mark.parametrize(
    "items",
    [(ITEM,), (ITEM, 5, 0, 1), (ITEM, "rpc:c0:1", -1, 1), (ITEM, "rpc:c0:1", 0), (ITEM, "rpc:c0:1", 0, 1, -1),
     (ITEM, "rpc:c0:1", 0, 1, "k"), (ITEM, "rpc:c0:1", True, 1), (END, "rpc:c0:1", 0), (END, "rpc:c0:1", None, None, 0),
     (CREDIT, "rpc:c0:1"), (CREDIT, "rpc:c0:1", 1.5), (CREDIT, "rpc:c0:1", 1, None), (CREDIT, "x" * 2000, 1)],
)  # fmt: skip
async def test_malformed_messages_of_streams_are_answered(app: App, peer: Peer, items: tuple[Any, ...]) -> None:
    """ERR-5."""
    await peer.extension(*items)
    assert (await peer.answer("system:malformed:0"))["error"]["code"] == -32600


async def test_two_arguments_cannot_be_one_stream(app: App, peer: Peer) -> None:
    """STR-4."""

    @app.method("test.two")
    async def two(a: AsyncIterator[int], b: Optional[AsyncIterator[int]] = None) -> bool:  # noqa: UP045
        return b is None

    assert (await peer.call("test.two", stream(1), stream(1)))["error"]["code"] == -32602
    assert (await peer.call("test.two", stream(1), stream(2)))["result"] is False
    assert (await peer.call("test.two", stream(1)))["result"] is True
    assert (await peer.call("test.two", stream(1), b=None))["result"] is True
    for bad in ([1, 2], None, 5, msgpack.ExtType(2, b"\xa1x"), msgpack.ExtType(2, b""), msgpack.ExtType(3, b"\0")):
        error = (await peer.call("test.two", bad))["error"]
        assert (error["code"], "stream" in error["message"]) == (-32602, True)
    error = (await peer.call("test.two", stream(1), c=stream(2)))["error"]
    assert error["code"] == -32602


async def test_an_id_with_streams_is_used_once_at_a_time(app: App, peer: Peer) -> None:
    Sink(app)
    id_ = await peer.start("test.sink", stream(0))
    await credit_of(peer, id_, 0)
    await peer.send({"wslink": "1.0", "id": id_, "method": "test.sink", "args": [stream(0)]})
    assert (await peer.answer(id_))["error"]["code"] == -32600
    await peer.extension(END, id_, 0, None, 0)
    assert (await peer.answer(id_))["result"] == 0


async def test_streams_both_ways(app: App, peer: Peer) -> None:
    """A method that is a stream and takes one."""

    @app.method("test.double")
    async def double(values: AsyncIterator[int]) -> AsyncIterator[int]:
        async for value in values:
            yield 2 * value

    id_ = await ask(peer, "test.double", stream(0))
    await credit_of(peer, id_, 0)
    for n in range(3):
        await peer.extension(ITEM, id_, n, n, 0)
    assert [item for item in await items(peer, 4) if item[0] == ITEM] == [[ITEM, id_, n, 2 * n] for n in range(3)]
    await peer.extension(END, id_, 3, None, 0)
    assert (await peer.answer(id_))["result"] is None


async def test_items_are_taken_while_as_many_calls_are_under_way_as_may_be(serve: Serve, peers: Open) -> None:
    """STR-6."""
    app = App(secret="secret", limits=Limits(max_calls=1))
    Sink(app)
    app.method("test.plain")(lambda text="": len(text))
    peer = await peers(await serve(app), hello={"features": FEATURES})
    upload = await peer.start("test.sink", stream(0))
    await credit_of(peer, upload, 0)
    small = [await peer.start("test.plain") for _ in range(2)]
    large = await peer.start("test.plain", "x" * 10_000)
    for refused in (small[1], large):  # one waits
        assert (await peer.answer(refused))["error"]["code"] == -32003
    await peer.extension(ITEM, upload, 0, b"x" * 40_000, 0)
    await peer.extension(END, upload, 1, None, 0)
    assert (await peer.answer(upload))["result"] == 40_000
    assert (await peer.answer(small[0]))["result"] == 0
    assert (await peer.call("test.plain", "x" * 10_000))["result"] == 10_000


async def test_a_call_that_waits_beside_a_stream_is_cancelled(serve: Serve, peers: Open) -> None:
    """STR-6, CAN-2."""
    app = App(secret="secret", limits=Limits(max_calls=1))
    Sink(app)
    called = list[int]()
    app.method("test.plain")(lambda: called.append(1))
    peer = await peers(await serve(app), hello={"features": FEATURES})
    upload = await peer.start("test.sink", stream(0))
    await credit_of(peer, upload, 0)
    waiting = await peer.start("test.plain")
    await peer.extension(CANCEL, waiting)
    error = {"code": -32800, "message": "Cancelled"}
    assert (await peer.answer(waiting))["error"].items() >= error.items()
    await peer.extension(END, upload, 0, None, 0)
    assert (await peer.answer(upload))["result"] == 0
    assert called == []


async def test_arrays_are_items(app: App, serve: Serve, peers: Open) -> None:
    @app.method("test.sum")
    async def total(values: AsyncIterator[numpy.ndarray[Any, Any]]) -> float:
        return sum([float(value.sum()) async for value in values])

    peer = await peers(await serve(app), hello={"features": [*FEATURES, "arrays"]})
    id_ = await peer.start("test.sum", stream(0))
    await credit_of(peer, id_, 0)
    head = msgpack.packb(["<f4", 2])
    payload = bytes([len(head)]) + head + numpy.array([1, 2], "<f4").tobytes()
    await peer.extension(ITEM, id_, 0, msgpack.ExtType(1, payload), 0)
    await peer.extension(END, id_, 1, None, 0)
    assert (await peer.answer(id_))["result"] == 3.0


@pytest.mark.parametrize("run", [None, "thread"])
async def test_streams_of_an_application_with_a_thread_of_its_own(
    app: App, serve: Serve, peers: Open, run: Any
) -> None:
    """STR-1, STR-3, STR-4."""
    counting = Counting(app) if run is None else CountingInThread(app)
    sink = Sink(app)
    peer = await peers(await serve(app, application_thread=True), hello={"features": FEATURES})
    id_ = await ask(peer, "test.count", 3)
    assert (await peer.answer(id_))["result"] is None
    assert list(peer.extensions) == [[ITEM, id_, n, n] for n in range(3)]
    peer.extensions.clear()
    for times in range(2, 12):
        id_ = await ask(peer, "test.count", 10_000, credit=4)
        await items(peer, 4)
        await peer.extension(CREDIT, id_, 8)
        await peer.extension(CANCEL, id_)
        assert (await peer.answer(id_))["error"]["code"] == -32800
        await until(lambda times=times: len(counting.ended) == times)  # type: ignore[misc]
        peer.extensions.clear()
    upload = await peer.start("test.sink", stream(0))
    await credit_of(peer, upload, 0)
    await peer.extension(ITEM, upload, 0, b"abc", 0)
    await peer.extension(END, upload, 1, None, 0)
    assert (await peer.answer(upload))["result"] == 3
    assert sink.taken == [b"abc"]
