from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployment.cluster import Cluster, running
from tests.launcher.support import processes


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster


@pytest.fixture
def cluster(slurm: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """The cluster, for the launchers of one test; they must leave no job."""
    monkeypatch.setenv("SLURM_CONF", str(slurm.configuration))
    yield slurm
    left = slurm.names()
    slurm.clear()
    assert [name for name in left if name.startswith("wslink")] == []
    assert processes() == []
