from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

import wslink
from tests.client.reconnecting import SOON, Connect, Linked
from tests.lines import Line


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
