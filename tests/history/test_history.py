"""A short history, with cuts of every kind; `scripts/history` runs long ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.history.js import missing
from tests.history.roads import ROADS
from tests.history.run import run

SEED = int(os.environ.get("WSLINK_SEED", "1"))


@pytest.mark.parametrize("engine", ["picows", "aiohttp"])
async def test_nothing_is_lost_doubled_out_of_order_or_executed_twice(tmp_path: Path, engine: str) -> None:
    """RES-2 to RES-9, ORD-1, LANE-1."""
    print(f"scripts/history --road {engine} --cuts 40 --seed {SEED}")
    javascript = 0 if missing() else 1
    async with ROADS[engine](tmp_path, "--seed", str(SEED)) as road:
        result = await run(road.url, road.direct, 40, seed=SEED, javascript=javascript, python=1)
    assert result.found == []
    assert result.cuts.total() == 40
