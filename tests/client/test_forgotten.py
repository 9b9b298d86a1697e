"""What a program that makes links again and again keeps of those that have ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import weakref

from wslink import App, ConnectionClosed


async def test_nothing_is_kept_of_a_subscription_that_was_read_when_its_link_ended() -> None:
    app = App()
    app.topic("demo.tick")
    link = await app.connect()
    subscription = link.subscribe("demo.tick")
    await subscription.ready

    async def read(one: object) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for _ in one:  # type: ignore[attr-defined]
                pass

    reading = asyncio.create_task(read(subscription))
    await asyncio.sleep(0.01)
    await link.close()
    await reading
    kept = weakref.ref(subscription), weakref.ref(link)
    del link, subscription, reading
    for _ in range(3):
        await asyncio.sleep(0)
        gc.collect()
    assert [one() for one in kept] == [None, None]
