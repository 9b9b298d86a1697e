"""A released client that asks for much at once, as vtk.js does for the arrays of a scene."""

from __future__ import annotations

import subprocess

import pytest

from tests.interop.test_matrix import HERE, PEERS, running

COUNT, SIZE = 8, 20_000_000 // 256 * 256


@pytest.mark.timeout(60)
def test_eight_results_of_20_mb_all_arrive() -> None:
    with running("ours") as url:
        command = ["node", str(PEERS / "many_results.cjs"), "wslink2", url, str(COUNT), str(SIZE)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=50, cwd=HERE)
    assert done.returncode == 0, (done.returncode, done.stderr[-1000:])
