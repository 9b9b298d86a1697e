"""The Python client against the server, over real sockets, and against a hostile server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgpack
import numpy
import pytest
from aiohttp import web

import wslink
from tests.conftest import Serve
from tests.lines import Line
from tests.messages import HEADER
from wslink import App, AuthenticationError, CallError, ConnectionClosed, Limits, UsageError
from wslink.client.link import KEEP_ALIVE
from wslink.errors import SubscriptionOverflow


async def until(condition: Callable[[], bool]) -> None:
    async def watch() -> None:
        while not condition():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(watch(), 10)


async def test_calls_with_everything_in_them(app: App, serve: Serve) -> None:
    app.method("test.echo")(lambda value=None, **more: [value, more])
    async with wslink.connect(await serve(app), secret="secret") as link:
        assert link.client_id in app.clients
        assert link.server["name"] == "wslink"
        assert await link.call("test.echo", {"a": [1, b"b", None]}, c=2.5) == [{"a": [1, b"b", None]}, {"c": 2.5}]
        array = numpy.arange(3_000_000, dtype=numpy.float64).reshape(3, -1)
        [echoed], _ = await link.call("test.echo", [array])
        assert echoed.dtype == array.dtype
        assert echoed.flags.aligned
        assert (echoed == array).all()


async def test_link_can_be_awaited_and_closed(app: App, serve: Serve) -> None:
    link = await wslink.connect(await serve(app), secret="secret")
    await link.close()
    await link.close()
    assert (await link.wait_closed()).code == 1000
    with pytest.raises(ConnectionClosed):
        await link.call("test.echo")


async def test_failures_are_call_errors(app: App, serve: Serve) -> None:
    @app.method("test.fail")
    async def fail() -> None:
        raise ValueError("no")

    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError, match=r"Exception raised: ValueError\('no'\) \(-32001\)") as raised:
            await link.call("test.fail")
        assert raised.value.data == {"method": "test.fail", "exception": "ValueError('no')"}
        with pytest.raises(CallError) as unknown:
            await link.call("test.nothing")
        assert (unknown.value.code, unknown.value.data) == (-32601, "test.nothing")
        with pytest.raises(wslink.NotSerializable, match="object"):
            await link.call("test.fail", object())


@pytest.mark.parametrize("name", ["job.slwo", "job.slo", "job.sloww", "Job.Slow", "job_slow", "slow", "app.slow"])
async def test_an_unknown_method_is_named_with_a_near_one(app: App, serve: Serve, name: str) -> None:
    for known in ("job.slow", "job.quick", "a", "ab"):
        app.method(known)(lambda: None)
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError) as unknown:
            await link.call(name)
        assert str(unknown.value) == f"Unregistered method called: {name!r}; did you mean job.slow? (-32601)"
        with pytest.raises(CallError, match=r"^Unregistered method called: 'x.y.z' \(-32601\)$"):
            await link.call("x.y.z")
        with pytest.raises(CallError) as long:
            await link.call("x" * 1_000_000)
        assert len(str(long.value)) < 300


async def test_a_wrong_secret_is_an_authentication_error(app: App, serve: Serve) -> None:
    url = await serve(app)
    for secret, why in (("wrong", "the server refused the secret"), (None, "the server wants a secret")):
        with pytest.raises(AuthenticationError, match=rf"^Authentication failed: {why}; connect\(url, secret=...\)$"):
            await wslink.connect(url, secret=secret)
    with pytest.raises(UsageError, match="not a ws:// or wss:// URL"):
        wslink.connect("http://localhost")
    with pytest.raises(ConnectionClosed, match="Cannot connect"):
        await wslink.connect("ws://127.0.0.1:1/ws", secret="x")


async def test_pending_calls_end_with_the_connection(app: App, serve: Serve) -> None:
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    link = await wslink.connect(await serve(app), secret="secret")
    calls = [asyncio.create_task(link.call("test.wait")) for _ in range(3)]
    await asyncio.sleep(0.05)
    await link.close()
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(outcome, ConnectionClosed)


async def test_a_call_that_is_given_up_leaves_the_link_usable(app: App, serve: Serve) -> None:
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(link.call("test.wait"), 0.05)
        gate.set()
        assert await link.call("test.one") == 1


@pytest.mark.parametrize("way", ["task", "timeout"])
async def test_a_call_that_is_given_up_is_cancelled_at_the_server(app: App, serve: Serve, way: str) -> None:
    """CAN-1."""
    begun, ended = asyncio.Event(), asyncio.Event()

    @app.method("test.wait")
    async def wait() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async with wslink.connect(await serve(app), secret="secret") as link:
        assert "cancel" in link.features
        call = asyncio.ensure_future(link.call("test.wait"))
        await begun.wait()
        if way == "task":
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        else:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.01)
        await asyncio.wait_for(ended.wait(), 5)


async def test_what_is_left_of_a_large_argument_that_is_given_up_is_not_sent(
    app: App, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """CAN-2, CAN-3."""
    received = list[int]()
    app.method("test.take")(lambda data: received.append(len(data)))
    app.method("test.length")(len)
    size = 256 * 1024 * 1024
    async with wslink.connect(await serve(app), secret="secret") as link:
        begun, waits = (asyncio.ensure_future(link.call("test.take", bytearray(size))) for _ in range(2))
        await asyncio.sleep(0.02)
        for call in (begun, waits):
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert await link.call("test.length", bytes(20_000_000)) == 20_000_000
    assert received == []
    assert "malformed" not in caplog.text


async def test_a_large_response_that_is_given_up_is_dropped(
    app: App, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    app.method("test.big")(lambda: bytes(200 * 1024 * 1024))
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(link.call("test.big"), 0.1)
            assert await link.call("test.one") == 1
        await until(lambda: link._session._decoder._unchunker.partial == {})
    assert "wslink.client" not in {record.name for record in caplog.records}


async def test_subscriptions_with_filters(app: App, serve: Serve) -> None:
    tiles = app.topic("test.tile")
    async with wslink.connect(await serve(app), secret="secret") as link:
        async with link.subscribe("test.tile", filter={"row": [3, 4]}) as subscription:
            for row in range(10):
                tiles.publish({"row": row}, tags={"row": row})
            assert [await anext(subscription) for _ in range(2)] == [{"row": 3}, {"row": 4}]
            await subscription.update({"row": 7})
            assert [tiles.publish({"row": row}, tags={"row": row}) for row in (3, 7)] == [0, 1]
            assert await anext(subscription) == {"row": 7}
        assert tiles.subscriptions == ()
        with pytest.raises(StopAsyncIteration):
            await anext(subscription)


async def test_a_refused_subscription_says_why(app: App, serve: Serve) -> None:
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(CallError, match="there is no topic 'test.tile'"):
            await link.subscribe("test.tile").ready
        with pytest.raises(CallError, match="there is no topic"):
            await anext(link.subscribe("test.tile"))
        with pytest.raises(UsageError):
            link.subscribe("test.tile", buffer=0)


async def test_iteration_ends_with_the_connection(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    url = await serve(app)
    line = await Line.to(url)
    link = await wslink.connect(url, secret="secret")
    closing, lost = link.subscribe("test.topic"), await wslink.connect(line.url, secret="secret", reconnect=False)
    losing = lost.subscribe("test.topic")
    await asyncio.gather(closing.ready, losing.ready)
    await link.close()
    assert [item async for item in closing] == []
    topic.publish("last")
    line.cut()
    with pytest.raises(ConnectionClosed):
        while True:
            await anext(losing)
    await lost.close()
    await line.close()


async def test_a_slow_subscriber_of_a_latest_topic_skips_to_the_newest(app: App, serve: Serve) -> None:
    frames = app.topic("test.frame", delivery="latest")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.frame", buffer=2)
        await subscription.ready
        for n in range(200):
            frames.publish({"n": n, "pixels": bytes(1_000_000)})
            await asyncio.sleep(0)
        seen = [(await anext(subscription))["n"]]
        while seen[-1] < 199:
            seen.append((await anext(subscription))["n"])
        assert seen == sorted(seen)
        assert len(seen) < 100


async def test_a_call_is_answered_past_a_subscriber_that_takes_nothing(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=2)
        await subscription.ready
        for n in range(4):
            topic.publish(n)
        await until(lambda: subscription.full)
        await asyncio.sleep(0)
        assert await asyncio.wait_for(link.call("test.one"), 0.5) == 1


async def test_a_slow_subscriber_is_not_taken_for_dead(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app, heart_beat=1), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=1)
        await subscription.ready
        for n in range(5):
            topic.publish(n)
        await asyncio.sleep(3.5)
        assert list(app.clients) == [link.client_id]

        async def take() -> list[int]:
            return [await anext(subscription) for _ in range(5)]

        assert await asyncio.wait_for(take(), KEEP_ALIVE) == list(range(5))  # taking one makes the link read on at once


async def test_a_call_inside_an_iteration_is_answered_past_what_waits(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    app.method("test.one")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=2)
        await subscription.ready
        for n in range(10):
            topic.publish(n)
        async for n in subscription:
            assert await link.call("test.one") == 1
            if n == 9:
                break


async def test_a_subscription_far_over_its_buffer_ends_with_an_error(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    gate = asyncio.Event()
    app.method("test.wait")(gate.wait)
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic", buffer=1)
        await subscription.ready
        waiting = asyncio.create_task(link.call("test.wait"))
        await asyncio.sleep(0)
        for n in range(9):
            topic.publish(n)
        await until(lambda: topic.subscriptions == ())
        gate.set()
        assert await waiting is True
        with pytest.raises(SubscriptionOverflow):
            while True:
                await anext(subscription)


async def test_a_wait_that_is_given_up_leaves_the_subscription_usable(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic")
        for wait in (anext(subscription), subscription.__aenter__()):
            task = asyncio.ensure_future(wait)
            asyncio.get_running_loop().call_soon(task.cancel)
            with pytest.raises(asyncio.CancelledError):
                await task
        subscription.ready.cancel()
        await until(lambda: len(topic.subscriptions) == 1)
        topic.publish("news")
        assert await asyncio.wait_for(anext(subscription), 5) == "news"


async def test_an_iteration_that_has_not_begun_stops_with_its_subscription(app: App, serve: Serve) -> None:
    app.topic("test.topic")
    link = await wslink.connect(await serve(app), secret="secret")

    async def collect(subscription: wslink.ClientSubscription) -> list[Any]:
        return [item async for item in subscription]

    cancelled, closed = link.subscribe("test.topic"), link.subscribe("test.topic")
    iterations = [asyncio.create_task(collect(subscription)) for subscription in (cancelled, closed)]
    await asyncio.sleep(0)
    await cancelled.cancel()
    await link.close()
    assert await asyncio.wait_for(asyncio.gather(*iterations), 5) == [[], []]


async def test_waiting_for_a_subscription_ends_with_the_link(app: App, serve: Serve) -> None:
    app.topic("test.topic")
    link = await wslink.connect(await serve(app), secret="secret")
    subscription = link.subscribe("test.topic")
    closing = asyncio.create_task(link.close())
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(asyncio.shield(subscription.ready), 5)
    await closing


@pytest.mark.parametrize(("filter", "error"), [({"row": object()}, wslink.NotSerializable), (7, UsageError)])
async def test_a_filter_that_cannot_be_sent_is_the_callers_error(
    app: App, serve: Serve, filter: Any, error: type[Exception]
) -> None:
    app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        with pytest.raises(error):
            await asyncio.wait_for(link.subscribe("test.topic", filter=filter).ready, 5)


async def test_a_subscription_that_has_ended_cannot_be_updated(app: App, serve: Serve) -> None:
    topic = app.topic("test.topic")
    async with wslink.connect(await serve(app), secret="secret") as link:
        subscription = link.subscribe("test.topic")
        await subscription.ready
        await subscription.cancel()
        with pytest.raises(UsageError, match="has ended"):
            await subscription.update({"row": 1})
        assert topic.subscriptions == ()


async def test_large_calls_that_are_given_up_leave_no_partial_messages(serve: Serve) -> None:
    app = App(secret="secret", limits=Limits(max_partial=2))
    app.method("test.size")(lambda data: len(data))
    async with wslink.connect(await serve(app), secret="secret") as link:
        link._session.max_frame = 100_000
        data = bytes(30_000_000)
        for _ in range(4):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(link.call("test.size", data), 0.01)
        assert await asyncio.wait_for(link.call("test.size", data), 20) == len(data)


# A hostile server: the case cannot be had from a real one.

Script = Callable[[web.WebSocketResponse, dict[str, Any]], Any]


def packed(message: Any, id_: int = 1) -> bytes:
    text = msgpack.packb(message)
    return HEADER.pack(id_, 0, len(text)) + text


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[..., Any]]:
    runners = []

    async def start(script: Script, hello: Any = {"clientID": "c1"}) -> str:  # noqa: B006
        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for frame in socket:
                call = msgpack.unpackb(frame.data[12:])
                if call["method"] == "wslink.hello" and hello is ...:
                    await asyncio.sleep(30)
                elif call["method"] == "wslink.hello":
                    await socket.send_bytes(packed({"id": call["id"], "result": hello}))
                else:
                    await script(socket, call)
            return socket

        application = web.Application()
        application.router.add_get("/ws", handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        return f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_garbage_from_a_server_does_not_end_the_link(scripted: Callable[[Script], Any]) -> None:
    async def script(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.send_bytes(b"abc")
        await socket.send_str("text")
        for message in (7, {}, {"id": 7}, {"id": "publish:a.b:1"}, {"id": "rpc:c1:99", "result": 1}):
            await socket.send_bytes(packed(message))
        array = msgpack.ExtType(1, b"\x06\x92\xa3|u1\x02ab")
        await socket.send_bytes(packed({"id": "rpc:c1:99", "error": array}))
        await socket.send_bytes(packed({"id": "rpc:c1:99", "error": {"data": {"exception": array}}}))
        await socket.send_bytes(packed({"id": "publish:a.b:1", "result": 1, "subscriptions": [[1], {}, 7]}))
        await socket.send_bytes(
            packed({"id": call["id"], "error": "x" if call["args"] else {"data": {"exception": array}}})
        )

    async with wslink.connect(await scripted(script, {"clientID": "c1", "features": ["arrays"]})) as link:
        with pytest.raises(CallError):
            await link.call("test.any")
        with pytest.raises(CallError):
            await link.call("test.any", "an error that is no map")
        with pytest.raises(CallError, match="this server has no filters"):
            await link.subscribe("a.b", filter={"row": 1}).ready


async def test_a_close_in_the_middle_of_a_call_is_told_with_its_reason(scripted: Callable[[Script], Any]) -> None:
    async def script(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.close(code=4321, message=b"enough")

    async with wslink.connect(await scripted(script)) as link:
        with pytest.raises(ConnectionClosed) as closed:
            await link.call("test.any")
        assert (closed.value.code, closed.value.reason) == (4321, "enough")


@pytest.mark.parametrize(
    "result", [None, 7, {}, {"clientID": "c1", "maxMsgSize": "x"}, {"clientID": "c1", "features": 7}]
)
async def test_a_hello_that_makes_no_sense_is_a_failed_connection(scripted: Callable[..., Any], result: Any) -> None:
    url = await scripted(lambda socket, call: None, result)
    with pytest.raises(ConnectionClosed, match="hello"):
        await wslink.connect(url)


async def test_a_server_that_never_answers_hello_times_out_at_once(scripted: Callable[..., Any]) -> None:
    url = await scripted(lambda socket, call: None, ...)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionClosed, match=r"did not answer within 0.2 s"):
        await wslink.connect(url, timeout=0.2)
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_server_that_never_answers_times_out() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectionClosed, match="did not answer within 0.2 s"):
        await wslink.connect(f"ws://127.0.0.1:{port}/ws", timeout=0.2)
    await left.wait()
    server.close()


def test_a_program_may_end_without_closing_a_link_that_the_server_has_closed() -> None:
    program = """
import asyncio, wslink
from wslink import App

async def main():
    asyncio.get_running_loop().slow_callback_duration = 60  # the machine may be slow
    server = await App(secret="s").serve(host="127.0.0.1", port=0, handle_signals=False, ready_msg="")
    link = await wslink.connect(f"ws://127.0.0.1:{server.port}/ws", secret="s", reconnect=False)
    await server.stop()
    await link.wait_closed()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
