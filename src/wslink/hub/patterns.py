"""Patterns of topic names (SUB-18)."""

from __future__ import annotations

import re
from collections.abc import Callable

_PATTERN = re.compile(r"(?:\w+|\*)(?:\.(?:\w+|\*))*(?:\.\*\*)?|\*\*", re.ASCII)


def is_pattern(text: object) -> bool:
    """Whether `text` is a pattern, rather than the name of a topic."""
    return isinstance(text, str) and "*" in text and _PATTERN.fullmatch(text) is not None


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Return a function that tells whether a topic's name matches `pattern`."""
    parts = {"*": r"\w+", "**": r"\w+(?:\.\w+)*"}
    matcher = re.compile(r"\.".join(parts.get(part, part) for part in pattern.split(".")), re.ASCII)
    return lambda name: matcher.fullmatch(name) is not None
