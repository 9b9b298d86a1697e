"""The fenced blocks of README.md and docs/, as a reader finds them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*)\s*$")
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")


class Block(NamedTuple):
    """A block: the number counts those of its language in its page; `not_run` is the reason that stands before it."""

    page: str
    language: str
    number: int
    text: str
    not_run: str


def pages() -> list[str]:
    """Pages with blocks that somebody may copy; paths below the repository's root. Those of docs/site hold directives
    for the site alone, whose build checks them."""
    found = (path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md") if ROOT / "docs/site" not in path.parents)
    return ["README.md", *sorted(map(str, found))]


def blocks(page: str) -> Iterator[Block]:
    numbers: Counter[str] = Counter()
    lines = iter((ROOT / page).read_text().splitlines())
    before = ""
    for line in lines:
        if (fence := FENCE.match(line)) is None:
            before = line.strip() or before
            continue
        text = "".join(f"{inner.removeprefix(fence[1])}\n" for inner in _until_fence(lines))
        reason = NOT_RUN.fullmatch(before)
        yield Block(page, fence[2], numbers[fence[2]], text, reason[1] if reason else "")
        numbers[fence[2]] += 1
        before = ""


def _until_fence(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if FENCE.match(line):
            return
        yield line


def block(page: str, language: str, number: int = 0) -> str:
    """The text of one block."""
    return next(one.text for one in blocks(page) if one[1:3] == (language, number))
