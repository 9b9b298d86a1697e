from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.callbacks import no_callback_raises  # noqa: F401 - for every test here
from tests.session.returning import Clients, Returning


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    made: list[Returning] = []

    def make(url: str, *args: Any, **options: Any) -> Returning:
        made.append(Returning(url, *args, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()
