"""Defect 18: a client that never says hello holds the server past its timeout."""

import asyncio

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


@defect(18)
async def test_a_stranger_does_not_count_as_a_client():
    async with serving(Protocol(), timeout=1) as running:
        stranger = await running.dial()
        ended = asyncio.create_task(stranger.ended())
        await soon(asyncio.shield(running.task), "the end of the idle server", 2.5)
        await ended
