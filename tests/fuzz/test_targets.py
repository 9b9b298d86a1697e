"""Every target with its seeds and some mutations of them; `scripts/test fuzz` runs them for longer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.harness import TARGETS, Inputs, Watched, mutate, target


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_stands_its_seeds_and_some_mutations(name: str) -> None:
    module = target(name)
    assert mutate(module.run, module.SEEDS, seconds=10, most=1000, seed=7) > 100


def test_an_input_that_fails_is_kept(tmp_path: Path) -> None:
    def run(data: bytes) -> None:
        assert data != b"wrong"

    watched = Watched(run, inputs=Inputs("target", tmp_path))
    watched(b"right, and longer")
    with pytest.raises(AssertionError):
        watched(b"wrong")
    kept = (tmp_path / "target-last").read_bytes()
    assert kept[4 : 4 + int.from_bytes(kept[:4], "big")] == b"wrong"
    assert [path.read_bytes() for path in tmp_path.glob("target-failed-*")] == [b"wrong"]
