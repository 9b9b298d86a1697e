"""How many Python functions a server enters per small call and per hello: a figure that no load moves much."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.entered import HELLO_LIMITS, LIMITS, count, count_hellos
from benchmarks.resumption import MAX_FUNCTIONS, WITH, WITHOUT

from wslink import observe


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("case", LIMITS, ids=lambda case: "-".join(map(str, case)))
def test_a_small_call_enters_few_functions(case: tuple[str, int, int], version: int) -> None:
    counted = count(*case[:1], version, *case[1:], calls=2_000)
    assert counted.total <= LIMITS[case], counted.by_name


@pytest.mark.parametrize("api", HELLO_LIMITS)
def test_a_connection_and_its_hello_enter_few_functions(api: str) -> None:
    counted = count_hellos(api, 2)
    assert counted.total <= HELLO_LIMITS[api], counted.by_name


def test_metrics_add_one_function_to_a_small_call() -> None:
    files = {path.name for path in Path(observe.__file__).parent.glob("*.py")}
    counted = count("metrics", 2, 1, 1, calls=1_000).by_name
    observing = {name: entered for name, entered in counted.items() if name.split()[-1] in files}
    assert sum(observing.values()) == 1, observing


def test_resumption_adds_at_most_two_functions_to_a_small_call() -> None:
    """RES-2, RES-4, RES-5. One call at a time: of more together, it is chance how many arrive at once."""
    without, with_it = (count("app", 2, 1, 1, calls=1_000, features=features) for features in (WITHOUT, WITH))
    assert with_it.total - without.total <= MAX_FUNCTIONS, with_it.by_name
