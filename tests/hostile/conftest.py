from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.arena import Control, Server
from tests.hostile.sockets import close_all


@pytest.fixture(scope="session")
def control() -> Iterator[Server]:
    """A server that nobody attacks."""
    control = Control()
    yield control.server
    control.close()


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()
