"""Streamed results and streamed arguments, as a raw client sees them (STR)."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from typing import Any, Optional

import msgpack
import numpy
import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.test_cancel import until
from wslink import App, Call, Limits, MethodError, UsageError

ITEM, END, CREDIT, CANCEL = 3, 4, 5, 6
FEATURES = ["stream", "cancel"]


def stream(key: int) -> msgpack.ExtType:
    """What stands for an argument that is a stream."""
    return msgpack.ExtType(2, msgpack.packb(key))


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": FEATURES})


async def ask(peer: Peer, method: str, *args: Any, credit: Any = 8) -> str:
    """Call for a stream; the call's id."""
    peer._number += 1
    id_ = f"rpc:{peer.client_id}:{peer._number}"
    await peer.send({"wslink": "1.0", "id": id_, "method": method, "args": list(args), "stream": credit})
    return id_


async def items(peer: Peer, count: int) -> list[list[Any]]:
    """The next messages of extensions."""
    return [await peer.receive_extension() for _ in range(count)]


class Counting:
    """A stream of numbers, and what became of it."""

    def __init__(self, app: App, **options: Any) -> None:
        self.made = 0
        self.ended = list[str]()

        @app.method("test.count")
        async def count(most: int) -> AsyncIterator[int]:
            try:
                for n in range(most):
                    self.made += 1
                    yield n
                self.ended.append("end")
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise


class CountingInThread(Counting):
    def __init__(self, app: App) -> None:
        self.made = 0
        self.ended = list[str]()
        self.threads = set[int]()

        @app.method("test.count", run="thread")
        def count(most: int) -> Iterator[int]:
            self.threads.add(threading.get_ident())
            try:
                for n in range(most):
                    self.made += 1
                    yield n
                self.ended.append("end")
            except BaseException as error:
                self.ended.append(type(error).__name__)
                raise


@pytest.mark.parametrize("kind", [Counting, CountingInThread])
async def test_a_stream_sends_its_items_and_then_null(app: App, peer: Peer, kind: type[Counting]) -> None:
    """STR-1."""
    counting = kind(app)
    id_ = await ask(peer, "test.count", 3)
    assert (await peer.answer(id_))["result"] is None
    assert list(peer.extensions) == [[ITEM, id_, n, n] for n in range(3)]
    assert counting.ended == ["end"]
    if isinstance(counting, CountingInThread):
        assert threading.get_ident() not in counting.threads


@pytest.mark.parametrize("kind", [Counting, CountingInThread])
async def test_a_reader_that_stops_stops_the_generator_within_its_window(
    app: App, peer: Peer, kind: type[Counting]
) -> None:
    """STR-2."""
    counting = kind(app)
    id_ = await ask(peer, "test.count", 1000, credit=4)
    assert await items(peer, 4) == [[ITEM, id_, n, n] for n in range(4)]
    await asyncio.sleep(0.1)
    assert counting.made == 4
    await peer.extension(CREDIT, id_, 6)
    await peer.extension(CREDIT, id_, 2)  # it never falls
    assert await items(peer, 2) == [[ITEM, id_, n, n] for n in (4, 5)]
    await asyncio.sleep(0.05)
    assert counting.made == 6
    assert not peer.extensions


@pytest.mark.parametrize("kind", [Counting, CountingInThread])
async def test_cancelling_closes_the_generator(app: App, peer: Peer, kind: type[Counting]) -> None:
    """STR-3, CAN-1."""
    counting = kind(app)
    id_ = await ask(peer, "test.count", 1000, credit=4)
    await items(peer, 4)
    await peer.extension(CANCEL, id_)
    assert (await peer.answer(id_))["error"]["code"] == -32800
    await until(lambda: counting.ended == ["GeneratorExit"])
    await peer.extension(CREDIT, id_, 100)  # of a call that is over
    assert (await peer.call("test.nothing"))["error"]["code"] == -32601
    assert not peer.extensions


async def test_a_generator_that_waits_is_cancelled(app: App, peer: Peer) -> None:
    ended = list[str]()

    @app.method("test.wait")
    async def wait() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    id_ = await ask(peer, "test.wait")
    await items(peer, 1)
    await peer.extension(CANCEL, id_)
    assert (await peer.answer(id_))["error"]["code"] == -32800
    assert ended == ["cancelled"]


@pytest.mark.parametrize("thread", [False, True])
async def test_a_generator_of_a_client_that_has_gone_is_closed(
    app: App, serve: Serve, peers: Open, thread: bool
) -> None:
    """CAN-4."""
    counting = CountingInThread(app) if thread else Counting(app)
    peer = await peers(await serve(app), hello={"features": FEATURES})
    await ask(peer, "test.count", 1000, credit=4)
    await items(peer, 4)
    await peer.close()
    await until(lambda: counting.ended == ["GeneratorExit"])


@pytest.mark.parametrize("thread", [False, True])
async def test_a_failure_comes_after_the_items_before_it(app: App, peer: Peer, thread: bool) -> None:
    """STR-1."""
    if thread:

        @app.method("test.fail", run="thread")
        def fail_there() -> Iterator[int]:
            yield 1
            raise MethodError("it broke", {"at": 2})
    else:

        @app.method("test.fail")
        async def fail() -> AsyncIterator[int]:
            yield 1
            raise MethodError("it broke", {"at": 2})

    id_ = await ask(peer, "test.fail")
    assert await items(peer, 1) == [[ITEM, id_, 0, 1]]
    assert (await peer.answer(id_))["error"] == {"code": -32001, "message": "it broke", "data": {"at": 2}}


@pytest.mark.parametrize("thread", [False, True])
async def test_an_item_that_cannot_be_sent_ends_the_stream_at_both_ends(app: App, peer: Peer, thread: bool) -> None:
    """STR-5."""
    ended = list[str]()

    def values() -> Iterator[Any]:
        try:
            yield 1
            yield object()
            yield 2
        finally:
            ended.append("closed")

    async def async_values() -> AsyncIterator[Any]:
        for value in values():
            yield value

    app.method("test.values", run="thread" if thread else "loop")(values if thread else async_values)
    id_ = await ask(peer, "test.values")
    error = (await peer.answer(id_))["error"]
    assert (error["code"], error["message"]) == (-32002, "item 1 of the stream cannot be serialized")
    assert list(peer.extensions) == [[ITEM, id_, 0, 1]]
    await until(lambda: ended == ["closed"])


async def test_a_call_and_a_method_that_do_not_fit_say_what_to_use(app: App, peer: Peer) -> None:
    """STR-1."""
    Counting(app)
    app.method("test.plain")(lambda: 1)
    error = (await peer.call("test.count", 3))["error"]
    assert (error["code"], "link.stream" in error["message"]) == (-32602, True)
    error = (await peer.answer(await ask(peer, "test.plain")))["error"]
    assert (error["code"], "link.call" in error["message"]) == (-32602, True)


@pytest.mark.parametrize("credit", [-1, 1025, 10**15, 2**63])
async def test_a_credit_out_of_bounds_fails_the_call(app: App, peer: Peer, credit: int) -> None:
    """STR-1, LIM-19."""
    counting = Counting(app)
    assert (await peer.answer(await ask(peer, "test.count", 3, credit=credit)))["error"]["code"] == -32003
    assert counting.made == 0


@pytest.mark.parametrize("credit", ["8", 1.5, True, [], {}])
async def test_a_credit_that_is_no_integer_is_refused(app: App, peer: Peer, credit: Any) -> None:
    Counting(app)
    assert (await peer.answer(await ask(peer, "test.count", 3, credit=credit)))["error"]["code"] == -32600


async def test_a_credit_far_ahead_fails_the_call(app: App, peer: Peer) -> None:
    """STR-2, LIM-19."""
    counting = Counting(app)
    id_ = await ask(peer, "test.count", 10**9, credit=1)
    await items(peer, 1)
    await peer.extension(CREDIT, id_, 10**12)
    error = (await peer.answer(id_))["error"]
    assert (error["code"], "max_stream_window" in error["message"]) == (-32003, True)
    assert counting.ended == ["GeneratorExit"]


@pytest.mark.parametrize("generation", [1, 2])
async def test_a_client_without_the_feature_gets_an_error(app: App, serve: Serve, peers: Open, generation: int) -> None:
    """EXT-3."""
    Counting(app)
    peer = await peers(await serve(app), generation, hello={"features": []})
    error = (await peer.answer(await ask(peer, "test.count", 3)))["error"]
    assert (error["code"], "'stream'" in error["message"]) == (-32600, True)
    if generation == 2:
        await peer.extension(CREDIT, "rpc:c0:1", 5)
        assert (await peer.answer("system:malformed:0"))["error"]["code"] == -32600


async def test_large_items_stay_in_order_with_small_ones_and_before_the_response(app: App, peer: Peer) -> None:
    """STR-1, LANE-4."""
    sizes = [1, 3_000_000, 10, 40_000, 5, 2_000_000, 1]

    @app.method("test.parts")
    async def parts() -> AsyncIterator[bytes]:
        for size in sizes:
            yield bytes(size)

    id_ = await ask(peer, "test.parts")
    assert (await peer.answer(id_))["result"] is None
    assert [len(item[3]) for item in peer.extensions] == sizes


async def test_what_is_published_before_an_item_comes_before_it(app: App, serve: Serve, peers: Open) -> None:
    topic = app.topic("test.log")

    @app.method("test.parts")
    async def parts() -> AsyncIterator[int]:
        for n in range(3):
            topic.publish(n)
            yield n

    peer = await peers(await serve(app), hello={"features": [*FEATURES, "subscribe"]})
    await peer.subscribe(1, "test.log")
    id_ = await ask(peer, "test.parts")
    seen = list[Any]()
    while "error" not in seen and (not seen or seen[-1] != "done"):
        message = await peer.receive()
        seen += [f"item {item[3]}" for item in peer.extensions]
        peer.extensions.clear()
        seen.append("done" if message["id"] == id_ else f"log {message['result']}")
    assert seen == ["log 0", "item 0", "log 1", "item 1", "log 2", "item 2", "done"]


async def test_streams_count_as_calls_under_way(serve: Serve, peers: Open) -> None:
    """STR-6, LIM-10, TURN-2."""
    app = App(secret="secret", limits=Limits(max_calls=2))
    Counting(app)
    app.method("test.plain")(lambda: 1)
    peer = await peers(await serve(app), hello={"features": FEATURES})
    first, second = [await ask(peer, "test.count", 3, credit=1) for _ in range(2)]
    await items(peer, 2)
    waiting = await peer.start("test.plain")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(peer._next(), 0.1)
    await peer.extension(CREDIT, first, 10)
    await peer.extension(CREDIT, second, 10)
    assert {(await peer.receive())["id"] for _ in range(3)} == {first, second, waiting}


# Streamed arguments


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
    assert (await peer.answer(waiting))["error"]["code"] == -32800
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


# Registration


def plain_generator() -> Iterator[int]:
    yield 1


async def async_generator() -> AsyncIterator[int]:
    yield 1


def takes_a_stream(data: AsyncIterator[bytes]) -> None:
    pass


async def takes_several(*data: AsyncIterator[bytes]) -> None:
    pass


async def takes_a_list(data: list[AsyncIterator[bytes]]) -> None:
    pass


async def takes_one(data: AsyncIterator[bytes]) -> None:
    pass


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (plain_generator, {}, r"is a generator: make it an async one, or give it run='thread'"),
        (functools.partial(plain_generator), {}, "is a generator"),
        (async_generator, {"run": "thread"}, "is an async generator"),
        (async_generator, {"detached": True}, "cannot be detached"),
        (takes_one, {"detached": True}, "cannot be detached"),
        (takes_a_stream, {}, "has to be async"),
        (takes_a_stream, {"run": "thread"}, "has to be async"),
        (takes_several, {}, "no client can send"),
        (takes_a_list, {}, "no client can send"),
    ],
)
def test_methods_whose_streams_cannot_be_served_are_refused(
    app: App, function: Callable[..., Any], options: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        app.method("test.refused", **options)(function)


async def test_a_thread_that_is_between_items_sees_the_end(app: App, peer: Peer) -> None:
    seen = threading.Event()

    @app.method("test.slow", run="thread")
    def slow(call: Call) -> Iterator[int]:
        try:
            yield 1
            while not call.cancelled:
                time.sleep(0.002)
            yield 2
        finally:
            seen.set()

    id_ = await ask(peer, "test.slow")
    await items(peer, 1)
    await peer.extension(CANCEL, id_)
    assert (await peer.answer(id_))["error"]["code"] == -32800
    await until(seen.is_set)
    assert not peer.extensions
