from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

import wslink
from tests.client.reconnecting import SOON, Connect, Linked
from tests.client.scripted import FEATURES, Connected, Scripted
from tests.lines import Line
from wslink import Link


@pytest.fixture
async def linked() -> AsyncIterator[Connect]:
    opened: list[Linked] = []

    async def connect(url: str, **options: Any) -> Linked:
        line = await Line.to(url, random.Random(7))
        link = await wslink.connect(line.url, **{"secret": "secret", "reconnect": SOON, **options})
        opened.append(Linked(line, link))
        return opened[-1]

    yield connect
    for each in opened:
        await each.link.close()
        await each.line.close()


@pytest.fixture
async def connected() -> AsyncIterator[Connected]:
    opened: list[tuple[Link, web.AppRunner]] = []

    async def connect(features: list[str] = FEATURES, reconnect: bool = True, **options: Any) -> tuple[Link, Scripted]:
        server = Scripted()
        server.features = features
        application = web.Application()
        application.router.add_get("/ws", server.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
        link = await wslink.connect(url, reconnect=reconnect, **options)
        opened.append((link, runner))
        return link, server

    yield connect
    for link, runner in opened:
        await link.close()
        await runner.cleanup()
