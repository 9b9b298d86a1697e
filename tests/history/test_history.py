"""A short history, with cuts of every kind; `scripts/cuts` runs long ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.deployment.servers import missing as missing_program
from tests.history import streams
from tests.history.js import missing
from tests.history.roads import ROADS, SINGLE
from tests.history.run import run

SEED = int(os.environ.get("WSLINK_SEED", "1"))
CUTS = {"picows": 30, "aiohttp": 20}
"""Of other roads, which share all but the way there: 8."""


@pytest.mark.parametrize("road", ROADS)
async def test_nothing_is_lost_doubled_out_of_order_or_executed_twice(tmp_path: Path, road: str) -> None:
    """RES-2 to RES-9, ORD-1, LANE-1; over the same road, streams in both directions (STR-1 to STR-4, CAN-1)."""
    if road == "nginx" and missing_program("nginx"):
        pytest.skip("nginx is not installed")
    cuts = CUTS.get(road, 8)
    print(f"scripts/cuts --road {road} --cuts {cuts} --seed {SEED}")
    javascript = 0 if road in SINGLE or missing() else 1
    async with ROADS[road](tmp_path, "--seed", str(SEED)) as way:
        await streams.check(way.url)
        result = await run(way.url, way.direct, cuts, seed=SEED, javascript=javascript, python=1, patience=way.patience)
    assert result.found == []
    assert result.cuts.total() == cuts
    assert result.resumed > 0
