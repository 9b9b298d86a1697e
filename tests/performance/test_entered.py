"""How many Python functions a server enters per small call: a figure that no load on the machine moves much."""

from __future__ import annotations

import pytest
from benchmarks.entered import LIMITS, count


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("case", LIMITS, ids=lambda case: "-".join(map(str, case)))
def test_a_small_call_enters_few_functions(case: tuple[str, int, int], version: int) -> None:
    counted = count(*case[:1], version, *case[1:], calls=2_000)
    assert counted.total <= LIMITS[case], counted.by_name
