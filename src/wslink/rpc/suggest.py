"""Suggestions for misspelt method names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_NAME = 64
"""The longest name for which a similar one is looked for, in characters."""


class Suggestions:
    """Finds names that differ from a given one in a single character, in case, in `_` and `-`, or in what precedes the
    last dot. This takes a few lookups per character of the name, however many names there are.

    Args:
        names: the existing names.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._near: dict[str, str] = {}
        for name in sorted(names, reverse=True):  # of several, the alphabetically first is suggested
            for key in _keys(name):
                self._near[key] = name

    def near(self, name: str) -> str | None:
        """A name that is similar to `name`; None if there is none."""
        if len(name) > MAX_NAME:
            return None
        return next((self._near[key] for key in _keys(name) if key in self._near), None)


def _keys(name: str) -> Iterator[str]:
    """What similar names have in common."""
    plain = name.lower().replace("_", "").replace("-", "")
    yield plain
    for index in range(len(plain)):
        yield plain[:index] + plain[index + 1 :]
    last = plain.rpartition(".")[2]
    if len(last) > 2:
        yield f".{last}"
