"""Docstrings: what they say of a method, and of each of its arguments (in Google's or NumPy's manner)."""

from __future__ import annotations

import re
from typing import NamedTuple

_ENTRY = re.compile(r"\*{0,2}(\w+(?:, \w+)*)(?: \([^)]*\))?: *(.*)")
_SECTION = re.compile(r"(Args|Arguments|Parameters|Attributes|Returns|Raises|Yields|Example|Examples|Note|Notes):")


class Docs(NamedTuple):
    """A docstring's parts: all but the arguments, and these by name."""

    text: str
    arguments: dict[str, str]


def parse(doc: str) -> Docs:
    """The parts of a docstring, which `inspect.cleandoc` has cleaned."""
    kept: list[str] = []
    arguments: dict[str, str] = {}
    current: list[str] = []
    inside = False
    for line in doc.splitlines():
        if section := _SECTION.fullmatch(line):
            inside = section[1] in ("Args", "Arguments", "Parameters", "Attributes")
        if not inside:
            kept.append(line)
        elif line.startswith("    ") and not line.startswith("     ") and (entry := _ENTRY.fullmatch(line.strip())):
            current = entry[1].split(", ")
            arguments.update(dict.fromkeys(current, entry[2]))
        elif line.startswith("     "):
            arguments.update({name: f"{arguments[name]} {line.strip()}".strip() for name in current})
        elif line.strip() and not section:
            inside = False
            kept.append(line)
    return Docs(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), arguments)


def comment(text: str, indent: int = 0) -> str:
    """`text` as a comment of TSDoc, with its line end; nothing for no text."""
    lines = text.replace("*/", "*\\/").strip().splitlines()
    pad = " " * indent
    if not lines:
        return ""
    if len(lines) == 1:
        return f"{pad}/** {lines[0]} */\n"
    return f"{pad}/**\n" + "".join(f"{pad} * {line}".rstrip() + "\n" for line in lines) + f"{pad} */\n"
