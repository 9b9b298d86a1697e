"""The promises of docs/scale.md, for a short time; scripts/history does it for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.history import check


@pytest.mark.timeout(90)
@pytest.mark.parametrize(("kind", "faults"), [("redis", ("kill", "move")), ("nats", ("cut", "move", "trim"))])
async def test_what_is_promised_holds_while_workers_die_and_records_are_lost(
    kind: str, faults: tuple[str, ...], tmp_path: Path
) -> None:
    print(await check(kind, tmp_path, faults, viewers=6, seed=7, haste=True))
