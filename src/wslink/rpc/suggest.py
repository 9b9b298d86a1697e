"""The name that a caller may have meant, where there is no method of the one it gave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

MAX_NAME = 64
"""Characters of a name for which a near one is looked for."""


class Suggestions:
    """Finds names that differ from a given one in a character, in case, in `_` and `-`, or in what stands before the
    last dot. Costs a few lookups per character of the name, however many names there are.

    Args:
        names: those that exist.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._near: dict[str, str] = {}
        for name in sorted(names, reverse=True):  # of several the first by name is suggested
            for key in _keys(name):
                self._near[key] = name

    def near(self, name: str) -> str | None:
        """A name that is near `name`; None where there is none."""
        if len(name) > MAX_NAME:
            return None
        return next((self._near[key] for key in _keys(name) if key in self._near), None)


def _keys(name: str) -> Iterator[str]:
    """What near names have in common."""
    plain = name.lower().replace("_", "").replace("-", "")
    yield plain
    for index in range(len(plain)):
        yield plain[:index] + plain[index + 1 :]
    last = plain.rpartition(".")[2]
    if len(last) > 2:
        yield f".{last}"
