from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.arena import Control, Server


@pytest.fixture(scope="session")
def control() -> Iterator[Server]:
    """A server that nobody attacks."""
    control = Control()
    yield control.server
    control.close()
