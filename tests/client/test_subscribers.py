"""Subscribers that leave, fall behind or never take anything: what it means to the others of their link."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, ConnectionClosed, Link
from wslink.errors import SubscriptionOverflow

MANY = 500
"""More payloads than any buffer here holds."""


async def leave_by_break(link: Link) -> None:
    async for _ in link.subscribe("test.a"):
        break


async def leave_by_return(link: Link) -> Any:
    async for payload in link.subscribe("test.a"):
        return payload
    return None


async def leave_by_exception(link: Link) -> None:
    try:
        async for _ in link.subscribe("test.a"):
            raise LookupError("enough")
    except LookupError:
        pass


async def leave_by_timeout(link: Link) -> None:
    async def forever() -> None:
        async for _ in link.subscribe("test.a"):
            await asyncio.sleep(60)

    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(forever(), 0.05)


async def leave_by_anext(link: Link) -> None:
    await anext(link.subscribe("test.a"))


async def never_iterate(link: Link) -> None:
    link.subscribe("test.a")
    await asyncio.sleep(0.05)


async def never_iterate_in_a_cycle_that_another_thread_collects(link: Link) -> None:
    subscription: Any = link.subscribe("test.a")
    subscription.myself = subscription
    await subscription.ready
    del subscription
    collector = threading.Thread(target=gc.collect)
    collector.start()
    await asyncio.to_thread(collector.join)


WAYS = (
    leave_by_break,
    leave_by_return,
    leave_by_exception,
    leave_by_timeout,
    leave_by_anext,
    never_iterate,
    never_iterate_in_a_cycle_that_another_thread_collects,
)


@pytest.mark.parametrize("leave", WAYS, ids=lambda way: way.__name__)
async def test_a_subscription_that_is_left_is_cancelled(
    app: App, serve: Serve, leave: Callable[[Link], Awaitable[Any]]
) -> None:
    a, b = app.topic("test.a"), app.topic("test.b")

    async def publish() -> None:
        while True:
            a.publish("a")
            await asyncio.sleep(0.01)

    async with wslink.connect(await serve(app), secret="secret") as link:
        publishing = asyncio.create_task(publish())
        other = link.subscribe("test.b")
        await other.ready
        await asyncio.wait_for(leave(link), 10)
        await until(lambda: a.subscriptions == ())
        publishing.cancel()
        b.publish("b")
        assert await asyncio.wait_for(anext(other), 5) == "b"


@pytest.mark.parametrize("delivery", ["reliable", "latest"])
async def test_a_subscription_that_is_full_holds_up_itself_alone(app: App, serve: Serve, delivery: Any) -> None:
    stuck, other = app.topic("test.stuck", delivery=delivery), app.topic("test.other")
    async with wslink.connect(await serve(app), secret="secret") as link:
        full = link.subscribe("test.stuck", buffer=4)
        subscription = link.subscribe("test.other")
        await asyncio.gather(full.ready, subscription.ready)

        async def publish() -> None:
            for n in range(MANY):
                stuck.publish(n, key=n) if delivery == "latest" else stuck.publish(n)
                other.publish(n)
                await asyncio.sleep(0)

        publishing = asyncio.create_task(publish())
        assert await asyncio.wait_for(take(subscription, MANY), 10) == list(range(MANY))
        await publishing
        if delivery == "latest":  # what its window does not take waits with the server
            assert await asyncio.wait_for(take(full, 50), 10) == list(range(50))
            return
        with pytest.raises(SubscriptionOverflow):
            await take(full, MANY)
        await until(lambda: stuck.subscriptions == ())


async def take(subscription: wslink.ClientSubscription, count: int) -> list[Any]:
    return [await anext(subscription) for _ in range(count)]


async def test_a_slow_subscriber_of_a_latest_topic_skips_also_beside_another(app: App, serve: Serve) -> None:
    frames, other = app.topic("test.frame", delivery="latest"), app.topic("test.other")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription, beside = link.subscribe("test.frame", buffer=2), link.subscribe("test.other")
        await asyncio.gather(subscription.ready, beside.ready)

        async def publish() -> None:
            for n in range(200):
                frames.publish({"n": n, "pixels": bytes(1_000_000)})
                await asyncio.sleep(0.002)
            other.publish("done")

        publishing = asyncio.create_task(publish())
        seen = [-1]
        while seen[-1] < 199:
            seen.append((await asyncio.wait_for(anext(subscription), 5))["n"])
            await asyncio.sleep(0.01)
        assert len(seen) < 150
        assert await asyncio.wait_for(anext(beside), 5) == "done"
        await publishing


SERVER = """
import asyncio, wslink
async def main():
    app = wslink.App(secret="secret")
    topic = app.topic("test.topic")
    server = await app.serve(port=0, ready_msg="")
    print(server.port, flush=True)
    while True:
        topic.publish(bytes(10_000))
        await asyncio.sleep(0.001)
asyncio.run(main())
"""


async def test_the_end_is_noticed_while_a_subscriber_is_behind() -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = await asyncio.to_thread(server.stdout.readline)
        link = await wslink.connect(f"ws://127.0.0.1:{int(port)}/ws", secret="secret", reconnect=False)
        subscription = link.subscribe("test.topic", buffer=2)
        await until(lambda: subscription.full)
        await asyncio.sleep(0.2)
        server.send_signal(signal.SIGKILL)
        assert (await asyncio.wait_for(link.wait_closed(), 5)).code == 1006
        with pytest.raises(ConnectionClosed):
            await take(subscription, MANY)
        await link.close()


ENDS = """
import asyncio, sys, wslink
async def main():
    link = await wslink.connect(sys.argv[1], secret="secret", reconnect=False)
    if sys.argv[2] == "closed by the server":
        await link.call("test.stop")
        await link.wait_closed()
asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["closed by the server", "left open"])
async def test_a_program_that_ends_without_closing_its_link_is_quiet(app: App, serve: Serve, how: str) -> None:
    @app.method("test.stop")
    def stop() -> None:
        for session in list(app._hub.connected):
            asyncio.get_running_loop().call_later(0.05, session.close, 1001, "the server stops")

    url = await serve(app)
    program = await asyncio.create_subprocess_exec(sys.executable, "-c", ENDS, url, how, stderr=asyncio.subprocess.PIPE)
    _, said = await asyncio.wait_for(program.communicate(), 20)
    assert (program.returncode, said.decode()) == (0, "")
