"""How a Python link comes back that cannot go on: expired, too much, restarted, refused (RES)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import wslink
from tests.client.reconnecting import Connect, collect
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, ConnectionClosed, Limits


async def test_where_the_window_is_over_a_session_begins_anew(serve: Serve, linked: Connect) -> None:
    app = App(secret="secret", limits=Limits(resume_window=0.1))
    topic, runs = app.topic("test.topic"), list[str]()

    @app.method("test.slow")
    async def slow(name: str) -> str:
        runs.append(name)
        await asyncio.sleep(0.3)
        return name

    one = await linked(await serve(app))
    link = one.link
    before, arrived = (link.client_id, link.epoch), list[Any]()
    subscription = link.subscribe("test.topic", filter={"row": [1, 2]})
    await subscription.ready
    await subscription.update({"row": 3})
    collecting = asyncio.create_task(collect(subscription, arrived))
    uncertain = asyncio.create_task(link.call("test.slow", "uncertain"))
    again = asyncio.create_task(link.with_options(retry=True).call("test.slow", "again"))
    await until(lambda: len(runs) == 2)
    await one.cut()
    waits = asyncio.create_task(link.call("test.slow", "waits"))
    await asyncio.sleep(0.4)
    one.mend()
    verdict = await one.returned()
    assert (verdict.resumed, verdict.reason) == (False, "expired")
    with pytest.raises(ConnectionError):
        await uncertain
    assert await asyncio.gather(again, waits) == ["again", "waits"]
    assert runs == ["uncertain", "again", "again", "waits"]
    assert link.client_id != before[0]
    assert link.epoch != before[1]
    for row in range(5):
        topic.publish(row, tags={"row": row})
    await until(lambda: len(arrived) == 1)
    assert arrived == [3]
    collecting.cancel()


async def test_a_server_that_was_restarted_knows_nothing_of_before(serve: Serve, linked: Connect) -> None:
    async def start(port: int = 0) -> tuple[Any, Any]:
        app = App(secret="secret")
        app.method("test.add")(lambda a, b: a + b)
        server = await app.serve(port=port, host="127.0.0.1", handle_signals=False, ready_msg="")
        return server, app.topic("test.topic")

    server, _ = await start()
    one = await linked(f"ws://127.0.0.1:{server.port}/ws")
    arrived = list[Any]()
    subscription = one.link.subscribe("test.topic")
    await subscription.ready
    collecting = asyncio.create_task(collect(subscription, arrived))
    await server.stop()
    await until(lambda: one.link.state == "reconnecting")
    late = asyncio.create_task(one.link.call("test.add", 40, 2))
    await asyncio.sleep(0.1)
    server, topic = await start(server.port)
    assert await asyncio.wait_for(late, 5) == 42
    assert (await one.returned())[:2] == (False, "restarted")
    topic.publish("news")
    await until(lambda: arrived == ["news"])
    collecting.cancel()
    await one.link.close()
    await server.stop()


async def test_the_server_kept_too_little(serve: Serve, linked: Connect) -> None:
    """RES-4."""
    app = App(secret="secret", limits=Limits(max_resume=100_000))
    topic = app.topic("test.topic")
    one = await linked(await serve(app))
    subscription = one.link.subscribe("test.topic")
    await subscription.ready
    await one.cut()
    for _ in range(10):
        topic.publish(bytes(20_000))
    one.mend()
    assert (await one.returned())[:2] == (False, "overflow")


@pytest.mark.parametrize("acknowledged", [True, False])
async def test_the_client_kept_too_little(app: App, serve: Serve, linked: Connect, acknowledged: bool) -> None:
    """RES-4: it does not matter any more once the server has all."""
    gate = asyncio.Event()

    @app.method("test.size")
    async def size(data: bytes) -> int:
        await gate.wait()
        return len(data)

    app.method("test.one")(lambda: 1)
    one = await linked(await serve(app), limits=Limits(max_resume=1_000_000))
    call = asyncio.create_task(one.link.call("test.size", bytes(3_000_000)))
    if acknowledged:
        await until(lambda: len(app.clients) == 1)
        await asyncio.sleep(0.5)
        assert await one.link.call("test.one") == 1
        await asyncio.sleep(0.1)
    else:
        await asyncio.sleep(0.002)
    one.line.cut()
    verdict = await one.returned()
    gate.set()
    if acknowledged:
        assert verdict.resumed
        assert await asyncio.wait_for(call, 5) == 3_000_000
    else:
        assert (verdict.resumed, verdict.reason) == (False, "overflow")
        with pytest.raises(ConnectionError):
            await call
    assert await one.link.call("test.one") == 1


async def test_no_more_may_wait_than_is_kept(app: App, serve: Serve, linked: Connect) -> None:
    app.method("test.size")(len)
    one = await linked(await serve(app), limits=Limits(max_resume=1_000_000))
    await one.cut()
    waits = asyncio.create_task(one.link.call("test.size", bytes(900_000)))
    await asyncio.sleep(0)
    with pytest.raises(ConnectionError, match="max_resume"):
        await one.link.call("test.size", bytes(200_000))
    one.mend()
    assert await waits == 900_000


async def test_a_secret_that_no_longer_counts_ends_the_link(serve: Serve, linked: Connect) -> None:
    secrets = ["secret"]
    app = App()
    app.method("test.wait")(asyncio.Event().wait)

    @app.authenticate
    def authenticate(credentials: wslink.Credentials) -> wslink.Identity | None:
        return wslink.Identity() if credentials.secret in secrets else None

    one = await linked(await serve(app))
    waits = asyncio.create_task(one.link.call("test.wait"))
    secrets.clear()
    one.line.cut()
    end = await asyncio.wait_for(one.link.wait_closed(), 5)
    assert (end.code, "refused the secret" in end.reason) == (1008, True)
    with pytest.raises(ConnectionClosed):
        await waits
    assert one.states == ["reconnecting", "closed"]
    with pytest.raises(ConnectionClosed):
        await one.link.call("test.wait")


async def test_another_user_is_refused(serve: Serve, linked: Connect) -> None:
    users = ["ada"]
    app = App()

    @app.authenticate
    def authenticate(credentials: wslink.Credentials) -> wslink.Identity:
        return wslink.Identity(user=users[0])

    one = await linked(await serve(app))
    users[0] = "bob"
    one.line.cut()
    assert (await one.returned())[:2] == (False, "refused")
