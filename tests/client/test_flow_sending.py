"""How the Python client sends by what the server acknowledges (FLOW, LANE)."""

from __future__ import annotations

import asyncio

import pytest

import wslink
from tests.client.scripted import KIB, MIB, Connected, finish, start
from tests.conftest import Serve
from wslink import App, CallError, Limits


async def test_a_large_argument_waits_for_acknowledgements_and_small_calls_pass_it(connected: Connected) -> None:
    """FLOW-4, LANE-1, LANE-2."""
    link, server = await connected()
    calls = [start(link, "a.large", bytes(32 * MIB)), start(link, "b.large", bytes(200 * KIB))]
    await asyncio.sleep(0.1)
    assert 32 * KIB < server.counted < 150 * KIB
    calls.append(start(link, "a.small"))
    await asyncio.sleep(0.05)
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    await server.called("a.large")
    assert [method for method, _ in server.calls] == ["a.small", "b.large", "a.large"]
    await finish(*calls)


async def test_large_arguments_to_a_server_without_flow_go_one_after_another(connected: Connected) -> None:
    """LANE-5."""
    link, server = await connected(["subscribe"])
    calls = [start(link, "a.large", bytes(4 * MIB)), start(link, "b.large", bytes(100 * KIB)), start(link, "a.small")]
    await server.called("b.large")
    assert [method for method, _ in server.calls if method != "a.small"] == ["a.large", "b.large"]
    assert max(server.chunks) <= 4 * MIB
    await finish(*calls)


async def test_acknowledgements_that_make_no_sense_change_nothing(connected: Connected) -> None:
    """FLOW-2."""
    link, server = await connected()
    call = start(link, "a.large", bytes(MIB))
    await asyncio.sleep(0.1)
    before = server.counted
    for items in ([], [1], [1, -5, 0], [1, 10**9, 0], [1, "5", 0], [1, 0.5, 0], [1, 0, 0], [7, 1], [[1], 1]):
        await server.send(items)
    await asyncio.sleep(0.05)
    assert server.counted == before
    server.acknowledges = True
    await server.send([1, before, 0])
    await server.answer("a.large", "done")
    assert await call == "done"


async def test_a_call_that_is_given_up_before_it_is_sent_is_not_sent(connected: Connected) -> None:
    link, server = await connected()
    calls = [start(link, name, bytes(MIB)) for name in ("a.large", "b.large", "c.large")]
    await asyncio.sleep(0.05)
    await finish(calls[1])
    server.acknowledges = True
    await server.send([1, server.counted, 0])
    await server.called("c.large")
    assert [method for method, _ in server.calls] == ["a.large", "c.large"]
    await finish(*calls)


async def test_arguments_that_are_refused_do_not_stop_later_ones(serve: Serve) -> None:
    """FLOW-1: frames that cannot be read are acknowledged too."""
    app = App(secret="secret", limits=Limits(max_message=MIB))
    app.method("test.size")(lambda data: len(data))
    async with wslink.connect(await serve(app), secret="secret") as link:
        for _ in range(20):
            with pytest.raises(CallError, match="max_message"):
                await asyncio.wait_for(link.call("test.size", bytes(2 * MIB)), 5)
            assert await asyncio.wait_for(link.call("test.size", bytes(MIB // 2)), 5) == MIB // 2


async def test_calls_of_all_sizes_at_once(app: App, serve: Serve) -> None:
    app.method("test.echo")(lambda data: data)
    sizes = [0, 100, 20 * KIB, 300 * KIB, 5 * MIB, 16 * KIB, 3 * MIB, 40 * KIB] * 5
    async with wslink.connect(await serve(app), secret="secret") as link:
        results = await asyncio.gather(*(link.call("test.echo", bytes(size)) for size in sizes))
        assert [len(data) for data in results] == sizes
