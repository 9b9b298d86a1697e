"""Each line of SECURITY.md's threat model names tests, and these exist."""

from __future__ import annotations

import re

import pytest

from tests.docs.blocks import ROOT

POLICY = (ROOT / "SECURITY.md").read_text()
REFERENCE = re.compile(r"`(tests/[\w/.]+)::(\w+)`")
ROWS = [line for line in POLICY.splitlines() if line.startswith("| ") and not re.match(r"\| (threat|---)", line)]


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:60] for row in ROWS])
def test_every_threat_names_a_test_that_exists(row: str) -> None:
    references = REFERENCE.findall(row.split("|")[3])
    assert references, "no test holds this line"
    missing = [f"{file}::{name}" for file, name in references if not exists(file, name)]
    assert missing == []


def exists(file: str, name: str) -> bool:
    path = ROOT / file
    return path.exists() and re.search(rf"^ *(async )?(def|class) {name}\b", path.read_text(), re.MULTILINE) is not None


def test_every_threat_is_in_a_table_of_three_columns() -> None:
    assert len(ROWS) > 30
    assert [row for row in ROWS if row.count("|") != 4] == []


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)[^)]*\)", POLICY))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
