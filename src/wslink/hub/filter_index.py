"""Which subscriptions a publication may concern, without a look at all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Generic, TypeVar

from wslink.hub.filters import Tag, Tags, values_of

T = TypeVar("T", bound=Hashable)

_ANY = object()
"""In place of a value: every one."""

Key = tuple[str, object]
"""A tag's name with a value that a filter asks for, or with `_ANY`."""


class FilterIndex(Generic[T]):
    """Holds items with filters, and finds those that tags could match.

    An item is found by one condition of its filter: by one that names values where there is one, and else by the tag
    that the fewest others are found by. So a filter over tags that no publication has costs publications nothing, and
    of filters that ask for one value each, a publication meets those that ask for its own.
    Not safe to use from several threads at a time.
    """

    def __init__(self) -> None:
        self._everything: dict[T, None] = {}
        self._items: dict[Key, dict[T, None]] = {}
        self._keys: dict[T, tuple[Key, ...]] = {}
        self._values = Counter[str]()
        """Keys with a value, by the tag's name."""

    def __len__(self) -> int:
        """Items with a filter."""
        return len(self._keys)

    def add(self, item: T, definition: Mapping[str, object]) -> None:
        """Hold `item`, whose filter is valid."""
        if not definition:
            self._everything[item] = None
            return
        keys = self._choose(definition)
        self._keys[item] = keys
        for key in keys:
            items = self._items.get(key)
            if items is None:
                items = self._items[key] = {}
                self._values[key[0]] += key[1] is not _ANY
            items[item] = None

    def remove(self, item: T) -> None:
        """Hold it no longer, if it was held."""
        self._everything.pop(item, None)
        for key in self._keys.pop(item, ()):
            items = self._items[key]
            del items[item]
            if not items:
                del self._items[key]
                self._values[key[0]] -= key[1] is not _ANY
                if not self._values[key[0]]:
                    del self._values[key[0]]

    def find(self, tags: Tags) -> list[T]:
        """Every item whose filter could match, and perhaps others; each once."""
        found = list(self._everything)
        for key in self._keys_of(tags):
            found += self._items.get(key, ())
        return found

    def _choose(self, definition: Mapping[str, object]) -> tuple[Key, ...]:
        named = [
            (name, values) for name, condition in definition.items() if (values := values_of(condition)) is not None
        ]
        if named:
            name, values = min(named, key=lambda pair: len(pair[1]))
            return tuple((name, value) for value in values)
        return (min(((name, _ANY) for name in definition), key=lambda key: len(self._items.get(key, ()))),)

    def _keys_of(self, tags: Mapping[str, Tag]) -> Iterator[Key]:
        for name, tag in tags.items():
            if name in self._values:
                yield from ((name, value) for value in values_of(tag) or ())
            yield name, _ANY


def filter_size(definition: Mapping[str, object]) -> int:
    """What a filter counts: 64 bytes for each condition and value, and its characters. It need not be valid."""
    return sum(64 + _condition_size(name) + _condition_size(condition) for name, condition in definition.items())


def _condition_size(condition: object) -> int:
    if isinstance(condition, Mapping):
        return sum(64 + _condition_size(value) for value in condition.values())
    if isinstance(condition, (list, tuple)):
        return sum(64 + _condition_size(value) for value in condition)
    return len(condition) if isinstance(condition, str) else 0
