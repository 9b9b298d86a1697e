from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.running import Blocker, Running
from wslink import App


@pytest.fixture
def blocker(app: App) -> Blocker:
    return Blocker(app)


@pytest.fixture
def running(app: App, blocker: Blocker) -> Iterator[Running]:
    with Running(app) as found:
        yield found
