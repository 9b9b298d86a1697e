"""An index of conditions on one tag, by the tag's value."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T", bound=Hashable)

LARGEST_LEVEL = 64
SMALLEST_LEVEL = -64
"""The levels of the grids that hold ranges of numbers: the width of a cell is 2 to the power of its level."""
PRECISION = 2.0**-40
"""The minimum width of a cell, relative to the numbers in it, so that cell numbers are exact."""


class Place(Generic[T]):
    """Items by key. `find` returns those whose condition a tag's value could fulfil.

    Attributes:
        rank: the most selective places have the lowest rank.
    """

    rank: int = 0

    def __init__(self) -> None:
        self._items: dict[Any, dict[T, None]] = {}
        self._total = 0

    def __bool__(self) -> bool:
        return bool(self._items)

    def population(self, key: Any) -> int:
        """How many items are found together with one of `key`."""
        return len(self._items.get(key, ()))

    def add(self, key: Any, item: T) -> None:
        items = self._items.get(key)
        if items is None:
            items = self._items[key] = {}
            self._opened(key)
        items[item] = None
        self._total += 1

    def remove(self, key: Any, item: T) -> None:
        items = self._items[key]
        del items[item]
        self._total -= 1
        if not items:
            del self._items[key]
            self._closed(key)

    def find(self, tag: Any) -> Iterator[T]:
        raise NotImplementedError

    def _opened(self, key: Any) -> None:
        """The first item was added for `key`."""

    def _closed(self, key: Any) -> None:
        """The last item was removed for `key`."""


class Values(Place[T]):
    """Keys are the required values, as (kind, value)."""

    def find(self, tag: Any) -> Iterator[T]:
        yield from self._items.get((kind(tag), tag), ())


class Present(Place[T]):
    """There is one key: for conditions that nearly every value could fulfil."""

    rank = 2

    def find(self, tag: Any) -> Iterator[T]:
        yield from self._items.get(None, ())


class _Counted(Place[T]):
    """Keys belong to several sorts, in each of which a tag is looked up."""

    def __init__(self) -> None:
        super().__init__()
        self._sorts: Counter[int] = Counter()

    def _sort(self, key: Any) -> int:
        raise NotImplementedError

    def _opened(self, key: Any) -> None:
        self._sorts[self._sort(key)] += 1

    def _closed(self, key: Any) -> None:
        sort = self._sort(key)
        self._sorts[sort] -= 1
        if not self._sorts[sort]:
            del self._sorts[sort]


class Prefixes(_Counted[T]):
    """Keys are the prefixes of a tag. The sort of a key is its length."""

    def _sort(self, key: Any) -> int:
        return len(key)

    def find(self, tag: Any) -> Iterator[T]:
        if isinstance(tag, str):
            for length in self._sorts:
                if length <= len(tag):
                    yield from self._items.get(tag[:length], ())


class Cells(_Counted[T]):
    """Ranges of numbers. Keys are the one or two cells of a grid that they lie in.

    A grid's cells are wider than the range, by a factor of 2 at most. The range covers much of the cell, so that a
    number finds few ranges that do not contain it. The sort of a key is its level, that is, the power of two that is
    the width; even for ranges of all widths there are few levels.
    """

    def _sort(self, key: Any) -> int:
        return int(key[0])

    def find(self, tag: Any) -> Iterator[T]:
        if kind(tag) is float:
            for level in self._sorts:
                number = _cell(tag, level)
                if number is not None:
                    yield from self._items.get((level, number), ())


class Bounds(Place[T]):
    """Keys are the single bounds of ranges of strings or numbers.

    Args:
        kind: str or float.
        lower: whether the bounds are lower ones.
    """

    rank = 1

    def __init__(self, kind: type, lower: bool) -> None:
        super().__init__()
        self._kind, self._lower = kind, lower
        self._sorted: list[Any] = []

    def population(self, key: Any) -> int:
        return self._total

    def _opened(self, key: Any) -> None:
        insort(self._sorted, key)

    def _closed(self, key: Any) -> None:
        del self._sorted[bisect_left(self._sorted, key)]

    def find(self, tag: Any) -> Iterator[T]:
        if kind(tag) is not self._kind:
            return
        known = self._sorted
        for bound in known[: bisect_right(known, tag)] if self._lower else known[bisect_left(known, tag) :]:
            yield from self._items[bound]


def cells(low: Any, high: Any) -> tuple[tuple[int, int], ...] | None:
    """The cells that contain the numbers from `low` to `high`; none if there are no such numbers, None if no grid can
    hold them."""
    if high < low:
        return ()
    try:
        first, last = float(low), float(high)
    except OverflowError:
        return None
    if not (math.isfinite(first) and math.isfinite(last)):
        return None
    width = max(last - first, PRECISION * abs(first), PRECISION * abs(last), 2.0**SMALLEST_LEVEL)
    level = math.frexp(width)[1]
    if not math.isfinite(width) or level > LARGEST_LEVEL:
        return None
    return tuple((level, number) for number in {_cell(first, level), _cell(last, level)} if number is not None)


def _cell(value: Any, level: int) -> int | None:
    try:
        return math.floor(math.ldexp(float(value), -level))
    except (OverflowError, ValueError):  # out of range, or not a number
        return None


_KINDS: dict[type, type] = {str: str, int: float, float: float, bool: bool}


def kind(value: Any) -> type | None:
    """The kind of a tag's value: str, float (for every number) or bool; None for what cannot be a tag."""
    found = _KINDS.get(type(value))
    if found is not None:
        return found
    if isinstance(value, bool):
        return bool
    if isinstance(value, (int, float)):
        return float
    return str if isinstance(value, str) else None
