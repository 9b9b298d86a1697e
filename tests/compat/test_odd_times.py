"""Times that are none, which clients of released servers may send."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from tests.released.peer import Failure
from tests.released.serving import Protocol, serving
from wslink import schedule_callback, schedule_coroutine


@pytest.mark.parametrize("seconds", ["soon", None, [1], {}, float("inf"), float("nan"), 1e300])
async def test_an_exit_that_never_comes_leaves_the_server(seconds: Any) -> None:
    async with serving(Protocol()) as running:
        peer = await running.connect()
        with contextlib.suppress(Failure):
            await peer.call("application.exit.later", seconds)
        await asyncio.sleep(0.02)
        with pytest.raises(Failure):
            await peer.call("still.there")


async def test_a_delay_is_a_number() -> None:
    async def nothing() -> None: ...

    for schedule in (schedule_callback, schedule_coroutine):
        with pytest.raises(ValueError, match="a number of seconds"):
            schedule(float("nan"), nothing)  # type: ignore[operator]
