"""Defect 15: a plain GET of the websocket route answers 500, leaves a ghost connection and breaks stop()."""

import asyncio

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


@defect(15, released=("2.6.0",))
async def test_the_answer_blames_the_request():
    async with serving(Protocol()) as running, running.get("ws") as response:
        assert 400 <= response.status < 500


@defect(15, released=("2.6.0",))
async def test_the_idle_timeout_still_ends_the_server():
    async with serving(Protocol(), timeout=1) as running:
        async with running.get("ws"):
            pass
        await soon(asyncio.shield(running.task), "the end of the idle server", 2.5)


@defect(15, released=("2.6.0",))
async def test_stop_still_works():
    async with serving(Protocol()) as running:
        async with running.get("ws"):
            pass
        await soon(running.server.stop(), "the end of stop()", 2)
        assert await soon(running.task, "the end of start()") is None
