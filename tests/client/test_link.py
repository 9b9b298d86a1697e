"""The Python client against the server, over real sockets."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy
import pytest

import wslink
from tests.conftest import Serve
from tests.waiting import until
from wslink import App, AuthenticationError, CallError, ConnectionClosed, Limits, UsageError


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


async def test_what_arrives_while_a_link_is_closed_is_dropped(
    app: App, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    app.method("test.size")(len)
    url = await serve(app)
    for _ in range(3):
        async with wslink.connect(url, secret="secret") as link:
            calls = [asyncio.ensure_future(link.call("test.size", bytes(70_000))) for _ in range(20)]
            await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*calls, return_exceptions=True)
    assert "wslink.client" not in {record.name for record in caplog.records}


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
