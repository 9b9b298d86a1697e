"""Defect 29: ports are not given back when a start fails."""

from ..released.launching import Launcher
from ..released.package import defect


@defect(29)
def test_a_pool_survives_failed_starts(tmp_path):
    with Launcher(tmp_path / "launcher", first=19131, count=2) as launcher:
        for _ in range(3):
            assert launcher.post(application="broken")[0] == 503
        status, answer = launcher.post(application="open", name="x")
    assert status == 200, answer
