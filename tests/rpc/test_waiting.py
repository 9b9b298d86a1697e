"""Waiting with a limit, which loses no cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import wslink
from tests.conftest import Serve
from wslink import App, Call
from wslink.waiting import within


async def test_a_cancellation_that_comes_together_with_the_result_counts() -> None:
    for outcome in ("result", RuntimeError("no")):
        ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        waiting = asyncio.ensure_future(within(ready, 60))
        await asyncio.sleep(0)
        if isinstance(outcome, Exception):
            ready.set_exception(outcome)
        else:
            ready.set_result(outcome)
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()


async def test_what_takes_too_long_is_cancelled_and_has_ended() -> None:
    ended: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("slow")

    with pytest.raises(asyncio.TimeoutError):
        await within(slow(), 0.01)
    assert ended == ["slow"]
    waiting = asyncio.ensure_future(within(slow(), 60))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["slow"] * 2


@pytest.mark.parametrize("seconds", [None, 60])
async def test_results_and_errors_pass(seconds: float | None) -> None:
    async def give() -> int:
        return 5

    async def fail() -> int:
        raise ValueError("mine")

    assert await within(give(), seconds) == 5
    with pytest.raises(ValueError, match="mine"):
        await within(fail(), seconds)


async def test_a_handler_that_the_server_gives_up_ends_although_its_own_call_is_answered(
    app: App, serve: Serve
) -> None:
    """CAN-1: its call of the server is answered in the same turn of the event loop."""
    ended: list[str] = []

    async def work(call: Call) -> None:
        try:
            while True:
                await call.client.call("test.quick", timeout=60)
        finally:
            ended.append("work")

    app.method("test.quick")(lambda: 1)
    async with wslink.connect(await serve(app), secret="secret", handlers={"a.work": work}) as link:
        client = app.clients[link.client_id]
        for round_ in range(20):
            with pytest.raises(TimeoutError):
                await client.call("a.work", timeout=0.01 + round_ / 5000)
        await _until(lambda: len(ended) == 20)


async def _until(condition: Callable[[], bool]) -> None:
    end = asyncio.get_running_loop().time() + 5
    while not condition():
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.005)
