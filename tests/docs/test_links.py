"""Links of the pages lead to files and headings that exist."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages
from wslink import Limits

LINK = re.compile(r"\]\((?![a-z]+:)([^)#\s]*)(?:#([^)\s]+))?\)")
PAGES = [*pages(), "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md"]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_they_lead_somewhere(page: str) -> None:
    dead = []
    for target, anchor in LINK.findall((ROOT / page).read_text()):
        path = (ROOT / page).parent / target if target else ROOT / page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def test_variables_that_the_pages_name_are_read() -> None:
    """A variable of the environment that nothing reads would be set in vain."""
    sources = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    limits = {f"WSLINK_{one.name.upper()}" for one in dataclasses.fields(Limits)}
    made = {"WSLINK_LAUNCHER_GET", "WSLINK_LAUNCHER_DELETE", "WSLINK_NAME"}  # of parts, and of a stream's name
    made |= {"WSLINK_BUSY_SECONDS", "WSLINK_PYTHON"}  # for tests
    named = {name for page in PAGES for name in re.findall(r"\bWSLINK_[A-Z_]+\b", (ROOT / page).read_text())}
    assert [name for name in sorted(named - limits - made) if f'"{name}"' not in sources] == []
