"""Every target with its seeds and some mutations of them; `scripts/test fuzz` runs them for longer."""

from __future__ import annotations

import pytest

from tests.fuzz.harness import TARGETS, mutate, target


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_stands_its_seeds_and_some_mutations(name: str) -> None:
    module = target(name)
    assert mutate(module.run, module.SEEDS, seconds=10, most=1000, seed=7) > 100
