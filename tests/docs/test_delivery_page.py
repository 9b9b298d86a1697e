"""Each promise of docs/delivery.md names a test that holds it, and that exists."""

from __future__ import annotations

import pytest

from tests.docs.blocks import ROOT
from tests.docs.test_security_policy import REFERENCE, exists

PAGE = (ROOT / "docs" / "delivery.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == 6][2:]


@pytest.mark.parametrize("row", ROWS, ids=[" ".join(row.split("|")[1:3]).strip()[:60] for row in ROWS])
def test_every_promise_names_a_test_that_exists(row: str) -> None:
    references = REFERENCE.findall(row.split("|")[5])
    assert references, "no test holds this promise"
    assert [f"{file}::{name}" for file, name in references if not exists(file, name)] == []


def test_the_table_is_there() -> None:
    assert len(ROWS) >= 16
