"""What becomes of a Python link whose line is cut, or whose server is restarted (RES)."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import Any

import aiohttp
import pytest

from tests.client.reconnecting import Connect, collect
from tests.conftest import Serve
from tests.lines import WAYS
from tests.waiting import until
from wslink import App, ConnectionClosed, Limits, Reconnect, Reconnected, UsageError
from wslink.client import backoff, sign_of_life


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_nothing_is_lost_doubled_or_out_of_order_however_often_the_line_is_cut(
    app: App, serve: Serve, linked: Connect, engine: str
) -> None:
    """RES-2 to RES-7, ORD-1."""
    executed: list[int] = []
    numbers = app.topic("test.numbers")

    @app.method("test.execute")
    def execute(number: int, data: bytes) -> list[Any]:
        executed.append(number)
        return [number, data]

    async def publish() -> None:
        for number in range(300):
            numbers.publish([number, bytes(200_000 if number % 50 == 3 else 10)])
            await asyncio.sleep(0.004)

    one = await linked(await serve(app, engine=engine))
    link, chance = one.link, random.Random(3)
    before, arrived = (link.client_id, link.epoch), list[Any]()
    subscription = link.subscribe("test.numbers")
    await subscription.ready
    collecting = asyncio.create_task(collect(subscription, arrived))
    publishing = asyncio.create_task(publish())
    calls = []
    for number in range(400):
        data = bytes(300_000 if number % 40 == 3 else 20)
        calls.append(asyncio.create_task(link.call("test.execute", number, data)))
        if chance.random() < 0.08:
            one.line.cut(chance.choice([way for way in WAYS if way != "far"]))
        await asyncio.sleep(0.003)
    results = await asyncio.wait_for(asyncio.gather(*calls), 20)
    await publishing
    await until(lambda: len(arrived) == 300)
    collecting.cancel()
    assert [number for number, _ in results] == list(range(400))
    assert executed == list(range(400)) or sorted(executed) == list(range(400))
    assert [number for number, _ in arrived] == list(range(300))
    assert (link.client_id, link.epoch) == before
    assert len(one.verdicts) > 8
    assert all(verdict.resumed for verdict in one.verdicts)


async def test_a_link_tells_of_its_state(app: App, serve: Serve, linked: Connect) -> None:
    one = await linked(await serve(app))
    told = asyncio.Event()

    @one.link.on_reconnected
    async def tell(verdict: Reconnected) -> None:
        told.set()
        raise ValueError("of no consequence")

    assert one.link.state == "open"
    await one.cut()
    await asyncio.sleep(0.1)
    one.mend()
    verdict = await one.returned()
    assert (verdict.resumed, verdict.reason) == (True, None)
    assert 0.1 < verdict.away < 2
    await asyncio.wait_for(told.wait(), 1)
    await one.link.close()
    assert one.states == ["reconnecting", "open", "closing", "closed"]
    assert one.link.state == "closed"


async def test_what_a_caller_gives_up_is_cancelled_with_and_without_a_connection(
    app: App, serve: Serve, linked: Connect
) -> None:
    """CAN-1."""
    begun, cancelled = list[str](), list[str]()

    @app.method("test.wait")
    async def wait(name: str, data: bytes = b"") -> None:
        begun.append(name)
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    one = await linked(await serve(app))
    first, second, large = (
        asyncio.create_task(one.link.call("test.wait", name, data))
        for name, data in (("first", b""), ("second", b""), ("large", bytes(100_000)))
    )
    await until(lambda: len(begun) == 3)
    first.cancel()
    await until(lambda: cancelled == ["first"])
    await one.cut()
    second.cancel()
    large.cancel()
    never = asyncio.create_task(one.link.call("test.wait", "never"))
    await asyncio.sleep(0)
    never.cancel()
    one.mend()
    await one.returned()
    await until(lambda: sorted(cancelled) == ["first", "large", "second"])
    assert len(begun) == 3


async def test_a_large_call_that_is_given_up_on_its_way_is_not_sent_after_a_return(
    app: App, serve: Serve, linked: Connect
) -> None:
    """CAN-3: what says that no more is sent has the number of its message."""
    sizes = list[int]()
    app.method("test.size")(lambda data: sizes.append(len(data)))
    app.method("test.one")(lambda: 1)
    one = await linked(await serve(app))
    call = asyncio.create_task(one.link.call("test.size", bytearray(60_000_000)))
    await asyncio.sleep(0.01)
    call.cancel()
    one.line.cut()
    await one.returned()
    for _ in range(3):
        assert await asyncio.wait_for(one.link.call("test.one"), 2) == 1
        one.line.cut()
        await one.returned(len(one.verdicts) + 1)
    assert sizes == []
    assert all(verdict.resumed for verdict in one.verdicts)


async def test_a_line_that_has_fallen_silent_is_given_up(
    app: App, serve: Serve, linked: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RES-11: after the server's heartbeat, and 5 seconds more, which are shorter here."""
    assert sign_of_life.ANSWER_WITHIN == 5
    monkeypatch.setattr(sign_of_life, "ANSWER_WITHIN", 1.0)
    app.method("test.one")(lambda: 1)
    one = await linked(await serve(app, heart_beat=1))
    one.line.cut("stall")
    begun = time.monotonic()
    assert await asyncio.wait_for(one.link.call("test.one"), 15) == 1
    assert 1.5 < time.monotonic() - begun < 5
    assert one.verdicts[0].resumed


async def test_a_link_that_is_closed_while_it_reconnects(app: App, serve: Serve, linked: Connect) -> None:
    app.method("test.one")(lambda: 1)
    one = await linked(await serve(app))
    await one.cut()
    waits = asyncio.create_task(one.link.call("test.one"))
    await asyncio.sleep(0)
    await asyncio.wait_for(one.link.close(), 1)
    with pytest.raises(ConnectionClosed):
        await waits
    assert (await one.link.wait_closed()).code == 1000
    assert one.states == ["reconnecting", "closing", "closed"]


async def test_a_link_that_is_closed_at_the_moment_of_its_return(
    app: App, serve: Serve, linked: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`asyncio.wait_for` of Python 3.11 and before swallows a cancellation that meets what it waits for."""
    one = await linked(await serve(app))
    connect, connecting, goes_on = aiohttp.ClientSession.ws_connect, asyncio.Event(), asyncio.Event()

    async def slow(*args: Any, **options: Any) -> Any:
        connecting.set()
        await goes_on.wait()
        return await connect(*args, **options)

    async def swallowing(awaitable: Any, timeout: float | None) -> Any:
        task = asyncio.ensure_future(awaitable)
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        return task.result()

    monkeypatch.setattr(aiohttp.ClientSession, "ws_connect", slow)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "wait_for", swallowing)
        await one.cut()
        await connecting.wait()
        closing = asyncio.create_task(one.link.close())
        await asyncio.sleep(0)
        goes_on.set()
        await asyncio.wait([closing], timeout=3)
    assert closing.done()
    assert (await one.link.wait_closed()).code == 1000
    assert one.states == ["reconnecting", "closing", "closed"]


async def test_a_link_gives_up_after_its_time(app: App, serve: Serve, linked: Connect) -> None:
    one = await linked(await serve(app), reconnect=Reconnect(0.02, 0.05, give_up_after=0.2))
    await one.cut()
    assert (await asyncio.wait_for(one.link.wait_closed(), 2)).code == 1006
    assert one.states == ["reconnecting", "closed"]


async def test_a_link_that_shall_not_reconnect_ends_with_its_connection(
    app: App, serve: Serve, linked: Connect
) -> None:
    one = await linked(await serve(app), reconnect=False)
    assert "resume" not in one.link.features
    one.line.cut()
    assert (await asyncio.wait_for(one.link.wait_closed(), 2)).code == 1006
    assert one.states == ["closed"]


@pytest.mark.parametrize("times", [{"initial": -1}, {"max": "9"}, {"give_up_after": float("nan")}])
def test_times_are_numbers_of_seconds(times: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="seconds"):
        Reconnect(**times)


async def test_a_subscriber_with_a_window_goes_on_in_the_next_session(serve: Serve, linked: Connect) -> None:
    """FLOW-5: the next session counts anew, and the same one hears again of what was settled."""
    app = App(secret="secret", limits=Limits(resume_window=0.2))
    frames = app.topic("test.frame", delivery="latest")
    one = await linked(await serve(app))
    arrived = list[Any]()
    subscription = one.link.subscribe("test.frame", window=2)
    await subscription.ready
    collecting = asyncio.create_task(collect(subscription, arrived))
    for away in (0.0, 0.4, 0.0):
        await one.cut()
        await asyncio.sleep(away)
        one.mend()
        await one.returned(len(one.verdicts) + 1)
        await until(lambda: len(app.clients) == 1 and bool(frames.subscriptions))
        for number in range(20):
            frames.publish([len(one.verdicts), number])
            await asyncio.sleep(0.005)
        await until(lambda: arrived[-1:] == [[len(one.verdicts), 19]])
    assert [verdict.resumed for verdict in one.verdicts] == [True, False, True]
    collecting.cancel()


@pytest.mark.parametrize(("away", "code"), [(0.0, 1001), (0.3, 1006), (1.5, 1006), (4.0, 1001), (8.5, 1006)])
def test_many_clients_of_a_server_that_was_restarted_are_back_within_10_s_and_spread(
    away: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff.random, "uniform", random.Random(1).uniform)
    back = list[float]()
    for _ in range(2000):
        one, now = backoff.Backoff(Reconnect()), 0.0
        one.ended(code)
        now += one.delay()
        while now < away:
            now += one.delay()
        back.append(now - away)
    assert max(back) < 10
    for start in range(100):
        assert sum(start / 10 <= time < start / 10 + 1 for time in back) < 0.25 * len(back)


async def test_small_calls_keep_their_order_over_a_return(app: App, serve: Serve, linked: Connect) -> None:
    """LANE-1, RES-6: those that are made at the moment of the return do not pass those that waited for it."""
    executed = list[int]()
    app.method("test.execute")(lambda number, data: executed.append(number))
    one = await linked(await serve(app))
    calls = []
    for _ in range(3):
        await one.cut()
        one.mend()
        returns = len(one.verdicts) + 1
        while len(one.verdicts) < returns or len(calls) % 400:
            calls.append(asyncio.create_task(one.link.call("test.execute", len(calls), bytes(500))))
            await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(*calls), 20)
    assert executed == list(range(len(calls)))
