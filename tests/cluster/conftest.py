from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.servers import Server
from tests.cluster.serving import Serving


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("redis", tmp_path_factory.mktemp("broker"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `serving` has its program."""
    return tmp_path_factory.mktemp("serving")


@pytest.fixture(scope="module")
def serving(folder: Path, redis: Server) -> Iterator[Serving]:
    """Two workers for all tests of a module: each takes some tenths of a second to start."""
    serving = Serving(folder, redis.url, 2)
    yield serving
    serving.stop()
