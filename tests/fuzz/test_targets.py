"""Each target for a moment; CI runs them for longer."""

from __future__ import annotations

import os

import pytest

from tests.fuzz.runner import load, mutate, names

SECONDS = float(os.environ.get("WSLINK_FUZZ_SECONDS", "1"))


@pytest.mark.parametrize("name", names())
def test_no_input_fails(name: str) -> None:
    assert mutate(*load(name), SECONDS) > 0
