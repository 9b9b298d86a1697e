"""Streamed results, as a raw client sees them (STR)."""

from __future__ import annotations

import asyncio
import functools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.conftest import Open, Serve
from tests.peers import Peer
from tests.session.streaming import CANCEL, CREDIT, FEATURES, ITEM, Counting, CountingInThread, ask, items
from tests.waiting import until
from wslink import App, Call, Limits, MethodError, UsageError


@pytest.fixture
async def peer(app: App, serve: Serve, peers: Open) -> Peer:
    return await peers(await serve(app), hello={"features": FEATURES})


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
