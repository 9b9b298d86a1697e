"""An index of filters: finds the subscriptions that a publication may match, without evaluating all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from wslink.hub.filters import COMBINED, OPERATORS, Tags
from wslink.hub.tag_index import Bounds, Cells, Place, Prefixes, Present, Values, cells, kind

T = TypeVar("T", bound=Hashable)

Key = tuple[str, str, Any]
"""The name of a tag, one of PLACES, and the key there."""

PLACES: dict[str, Callable[[], Place[Any]]] = {
    "value": Values,
    "prefix": Prefixes,
    "range": Cells,
    "least number": lambda: Bounds(float, lower=True),
    "greatest number": lambda: Bounds(float, lower=False),
    "least string": lambda: Bounds(str, lower=True),
    "greatest string": lambda: Bounds(str, lower=False),
    "present": Present,
}


FEW = 16
"""Lists of at most this many values are compared by how many filters each value leads to."""


class FilterIndex(Generic[T]):
    """Holds items with filters, and finds those that tags could match.

    An item is found by one condition of its filter, the most selective one: in this order, values, a prefix or a range
    with two bounds, a range with one bound, the presence of a tag. For an `or`, it is one condition of each
    alternative. So a filter on tags that no publication has costs publications nothing. Of filters that each require
    one value or range, a publication meets those that require its own value, and few other ranges.

    Not thread-safe.
    """

    def __init__(self) -> None:
        self._unfiltered: dict[T, None] = {}
        self._anywhere: dict[T, None] = {}
        """Items whose filter cannot be found by the value of a tag."""
        self._places: dict[str, dict[str, Place[T]]] = {}
        self._keys: dict[T, tuple[Key, ...]] = {}
        self._repeated = 0
        """Items that several tags may find."""

    def __len__(self) -> int:
        """The number of items with a filter."""
        return len(self._keys)

    def add(self, item: T, definition: Mapping[str, object]) -> None:
        """Add `item`. Its filter has to be valid."""
        if not definition:
            self._unfiltered[item] = None
            return
        keys = self._choose(definition)
        if keys is None:
            self._anywhere[item] = None
        self._keys[item] = keys or ()
        self._repeated += _repeats(keys or ())
        last, add = ("", ""), None
        for name, which, key in keys or ():
            if add is None or (name, which) != last:
                last, add = (name, which), self._place(name, which).add
            add(key, item)

    def remove(self, item: T) -> None:
        """Remove `item`, if it is there."""
        self._unfiltered.pop(item, None)
        self._anywhere.pop(item, None)
        keys = self._keys.pop(item, ())
        self._repeated -= _repeats(keys)
        for name, which, key in keys:
            places = self._places[name]
            places[which].remove(key, item)
            if not places[which]:
                del places[which]
                if not places:
                    del self._places[name]

    def find(self, tags: Tags) -> list[T]:
        """Return every item whose filter could match, and possibly others, without duplicates."""
        found = [*self._unfiltered, *self._anywhere]
        for name, tag in tags.items():
            for place in self._places.get(name, {}).values():
                found += place.find(tag)
        return list(dict.fromkeys(found)) if self._repeated else found

    def _place(self, name: str, which: str) -> Place[T]:
        places = self._places.setdefault(name, {})
        place = places.get(which)
        if place is None:
            place = places[which] = PLACES[which]()
        return place

    def _cost(self, keys: tuple[Key, ...] | _Listed) -> tuple[int, int]:
        """How many items a publication meets that matches `keys`, after how selective they are."""
        if isinstance(keys, _Listed):
            return 0, len(keys.values)
        rank, population = 0, len(keys)
        for name, which, key in keys:
            place = self._places.get(name, {}).get(which)
            rank = max(rank, RANKS[which])
            population += place.population(key) if place is not None else 0
        return rank, population

    def _choose(self, definition: Mapping[str, object]) -> tuple[Key, ...] | None:
        """Return the keys of which every matching publication has one; None if there are no such keys."""
        chosen = min(self._alternatives(definition), key=self._cost, default=None)
        return chosen.keys() if isinstance(chosen, _Listed) else chosen

    def _alternatives(self, definition: Mapping[str, Any]) -> Iterator[tuple[Key, ...] | _Listed]:
        for name, condition in definition.items():
            if name == "and":
                for part in condition:
                    yield from self._alternatives(part)
            elif name == "or":
                chosen = [self._choose(part) for part in condition]
                if None not in chosen:
                    yield tuple(dict.fromkeys(key for keys in chosen for key in keys or ()))
            elif name not in COMBINED and (keys := _condition_keys(name, condition)) is not None:
                yield keys


RANKS: dict[str, int] = {which: make().rank for which, make in PLACES.items()}


def _repeats(keys: tuple[Key, ...]) -> bool:
    """Whether a publication may have several of `keys`. It cannot have two values of a tag, or two cells of a grid."""
    if len(keys) < 2:
        return False
    first = _sort(*keys[0])
    return any(_sort(*key) != first for key in keys)


def _sort(name: str, which: str, key: Any) -> tuple[str, str, Any]:
    return name, which, None if which == "value" else key[0] if which == "range" else key


class _Listed:
    """The keys of a list of values, created only if they are chosen: there may be thousands."""

    __slots__ = ("name", "values")

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        self.name = name
        self.values = values

    def keys(self) -> tuple[Key, ...]:
        return tuple((self.name, "value", value) for value in {(kind(value), value) for value in self.values})


def _condition_keys(name: str, condition: Any) -> tuple[Key, ...] | _Listed | None:
    """Return keys of which a tag that fulfils the condition has one; None if the tag need not even exist."""
    if isinstance(condition, (list, tuple)):
        listed = _Listed(name, condition)
        return listed if len(condition) > FEW else listed.keys()
    if not isinstance(condition, Mapping):
        return ((name, "value", (kind(condition), condition)),)
    if "exists" in condition and not condition["exists"]:
        return None if len(condition) == 1 else ()
    if "prefix" in condition:
        return ((name, "prefix", condition["prefix"]),)
    low, high = condition.get("gte", condition.get("gt")), condition.get("lte", condition.get("lt"))
    return _range_keys(name, low, high)


def _range_keys(name: str, low: Any, high: Any) -> tuple[Key, ...]:
    kinds = {kind(bound) for bound in (low, high) if bound is not None}
    if not kinds:
        return ((name, "present", None),)
    if len(kinds) > 1 or bool in kinds:
        return ()  # matches nothing (SUB-10)
    if low is not None and high is not None:
        if float in kinds and (found := cells(low, high)) is not None:
            return tuple((name, "range", cell) for cell in found)
        if str in kinds and (common := _common_prefix(low, high)):
            return ((name, "prefix", common),)
    what = "number" if float in kinds else "string"
    return ((name, f"greatest {what}", high) if low is None else (name, f"least {what}", low),)


def _common_prefix(one: str, other: str) -> str:
    length = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return one[:length]


_WEIGHTLESS = frozenset((int, float, bool, type(None)))
"""Types whose values count only their place."""


def filter_size(definition: Mapping[str, object]) -> int:
    """The size of a filter: 64 bytes for each condition and value, and its characters. It need not be valid."""
    size, waiting = 0, [definition]
    while waiting:
        one: Any = waiting.pop()
        if isinstance(one, str):
            size += len(one)
            continue
        parts: Iterable[Any] = (
            one.values() if isinstance(one, Mapping) else one if isinstance(one, (list, tuple)) else ()
        )
        if isinstance(one, Mapping):
            size += sum(len(name) for name in one if isinstance(name, str) and name not in OPERATORS)
        size += 64 * len(one) if parts else 0
        waiting.extend(part for part in parts if type(part) not in _WEIGHTLESS)  # there may be thousands
    return size
