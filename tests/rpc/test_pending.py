"""Outgoing calls that wait for their response."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from wslink import CallError
from wslink.rpc.pending import PendingCalls


async def test_a_response_settles_the_call_of_its_id_once() -> None:
    pending = PendingCalls()
    first, second = pending.add("1"), pending.add("2")
    assert pending.settle("1", {"result": "one"})
    assert not pending.settle("1", {"result": "again"})
    assert not pending.settle("unknown", {"result": 1})
    assert (await first, second.done(), len(pending)) == ("one", False, 2)
    pending.discard("1")
    pending.discard("2")
    assert len(pending) == 0
    assert not pending.settle("2", {"result": "late"})


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [({"code": 7, "message": "steep", "data": 1}, 7, "steep"), ("no map", -32099, "not a map"), ({}, -32099, "None")],
)
async def test_an_error_of_any_shape_is_the_callers(error: Any, code: int, text: str) -> None:
    pending = PendingCalls()
    response = pending.add("1")
    assert pending.settle("1", {"error": error})
    with pytest.raises(CallError, match=text) as caught:
        await response
    assert caught.value.code == code


async def test_the_end_of_the_connection_fails_all_that_wait() -> None:
    pending = PendingCalls()
    waiting, done = pending.add("1"), pending.add("2")
    pending.settle("2", {"result": None})
    pending.fail(ConnectionError("gone"))
    with pytest.raises(ConnectionError, match="gone"):
        await asyncio.wait_for(waiting, 1)
    assert await done is None
    refused = pending.add("3")
    assert pending.reject("3", ValueError("no"))
    assert not pending.reject("3", ValueError("again"))
    pending.discard("3")
    assert isinstance(refused.exception(), ValueError)
