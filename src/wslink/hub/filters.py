"""Filters of subscriptions (SUB-8 to SUB-11, SUB-15 to SUB-17): checked once, then evaluated against the tags of each
publication.

There may be hundreds of thousands of conditions, which the garbage collector need not track: they are tuples of strings
and numbers, in predicates that it does not track, and the definition of a filter is kept as bytes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from wslink.errors import InvalidParams, UsageError
from wslink.hub.tag_index import kind
from wslink.wire.limits import Limits
from wslink.wire.show import shown
from wslink.wire.value import Value

Tag = str | int | float | bool
Tags = Mapping[str, Tag]
Predicate = Callable[[Tags], bool]
Condition = tuple[str, str, Value]
"""The name of a tag, a key of _TESTS, and the operand."""

FEW = 8
"""Values of a list that are compared one by one: the collector tracks each set and map."""

_ORDERED: dict[str, Callable[[Value, Value], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
OPERATORS = (*_ORDERED, "ne", "prefix", "exists")
COMBINED = ("and", "or", "not")
"""Instead of the name of a tag: how filters are combined (SUB-15)."""
_NUMBERS = (int, float)  # check_tags has converted all other numeric types


def check_tags(tags: Value) -> dict[str, Tag]:
    """Return `tags` as a plain dict.

    Raises:
        UsageError: a tag is not a string, number or boolean. The message names it.
    """
    if not isinstance(tags, Mapping):
        raise UsageError(
            f"tags must be a mapping from names to strings, numbers or booleans, not {type(tags).__name__}"
        )
    plain = {name: _plain_tag(value) for name, value in tags.items()}
    for name, value in plain.items():
        if not isinstance(name, str) or kind(value) is None:
            raise UsageError(
                f"tag {shown(name)} is {shown(value)}: a tag has a string for a name and a string, number or boolean "
                "for a value"
            )
    return plain


def compile_filter(definition: Value, limits: Limits) -> Predicate:
    """Compile a filter to a predicate over tags.

    Raises:
        InvalidParams: the filter is not valid. The message says why, and what is allowed.
    """
    if definition is None:
        return everything
    return _Compiler(limits).compile(definition, 0)


def everything(tags: Tags) -> bool:
    """Match everything."""
    return True


class _Compiler:
    """Compiles one filter and the filters nested in it (SUB-15)."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._left = limits.max_filter_conditions

    def compile(self, definition: Value, depth: int) -> Predicate:
        if not isinstance(definition, Mapping):
            raise InvalidParams(f"a filter must be a map from tag names to conditions, not {type(definition).__name__}")
        self._left -= len(definition)
        if self._left < 0:
            limit = self._limits.max_filter_conditions
            raise InvalidParams(f"a filter of more conditions than max_filter_conditions ({limit})")
        if not definition:
            return everything
        conditions: list[Condition] = []
        parts: list[Predicate] = []
        for name, condition in definition.items():
            if name in COMBINED:
                parts.append(self._combined(name, condition, depth + 1))
            elif isinstance(condition, Mapping) and len(condition) == 1 and condition.get("exists") is False:
                conditions.append((self._name(name), "absent", None))
            else:
                checked = self._name(name)
                conditions += [(checked, *test) for test in self._condition(name, condition)]
        return _All(tuple(conditions), tuple(parts))

    def _combined(self, name: str, filters: Value, depth: int) -> Predicate:
        if depth > self._limits.max_filter_depth:
            raise InvalidParams(f"filters nest deeper than max_filter_depth ({self._limits.max_filter_depth}) levels")
        if name == "not":
            if not isinstance(filters, Mapping):
                raise InvalidParams(f"filter: not must be a filter, not {shown(filters)}")
            return _Not(self.compile(filters, depth))
        if not isinstance(filters, (list, tuple)) or not filters:
            raise InvalidParams(f"filter: {name} must be a list of one or more filters, not {shown(filters)}")
        predicates = tuple(self.compile(one, depth) for one in filters)
        return _All((), predicates) if name == "and" else _Any(predicates)

    def _name(self, name: Value) -> str:
        if not isinstance(name, str):
            raise InvalidParams(f"filter: a tag's name must be a string, not {shown(name)}")
        self._check_text(name)
        return name

    def _check_text(self, text: str) -> None:
        if len(text) > self._limits.max_filter_text:
            raise InvalidParams(
                f"a name or string in a filter is over max_filter_text ({self._limits.max_filter_text}) characters"
            )

    def _condition(self, name: str, condition: Value) -> list[tuple[str, Value]]:
        """Return the tests of a tag, all of which have to hold, and their operands."""
        if isinstance(condition, (list, tuple)):
            return [("one of", self._one_of(name, condition))]
        if isinstance(condition, Mapping):
            return self._bounds(name, condition)
        operand = self._operand(name, condition)
        return [("is" if type(operand) is bool else "equals", operand)]

    def _operand(self, name: str, value: Value) -> Tag:
        if kind(value) is None or value != value:
            raise InvalidParams(
                f"filter on {shown(name)}: {shown(value)} is not allowed; a condition is a string, number or boolean, "
                f"a list of these, or a map with any of {', '.join(OPERATORS)}"
            )
        if isinstance(value, str):
            self._check_text(value)
        return value  # type: ignore[no-any-return]

    def _one_of(self, name: str, values: Value) -> tuple[Value, ...] | dict[Value, None]:
        limit = self._limits.max_filter_values
        if len(values) > limit:
            raise InvalidParams(f"filter on {shown(name)}: {len(values)} values are over max_filter_values ({limit})")
        one_of = {(kind(self._operand(name, value)), value): None for value in values}
        return tuple(one_of) if len(one_of) <= FEW else one_of

    def _bounds(self, name: str, bounds: Mapping[Value, Value]) -> list[tuple[str, Value]]:
        if not bounds or not all(key in OPERATORS for key in bounds):
            raise InvalidParams(
                f"filter on {shown(name)}: {shown(dict(bounds))} must have one or more of {', '.join(OPERATORS)}, and "
                "no other key"
            )
        for key, allowed, what in (("prefix", str, "a string"), ("exists", bool, "true or false")):
            if key in bounds and not isinstance(bounds[key], allowed):
                raise InvalidParams(f"filter on {shown(name)}: {key} must be {what}, not {shown(bounds[key])}")
        return [(_test(key, self._operand(name, operand)), operand) for key, operand in bounds.items()]


def _test(key: str, operand: Tag) -> str:
    """The key of _TESTS for a bound."""
    if key == "exists":
        return "present" if operand else "never"
    if key == "ne":
        return "is not" if type(operand) is bool else "differs"
    if key == "prefix":
        return "prefix"
    of = kind(operand)
    return "never" if of is bool else f"{key} {'text' if of is str else 'number'}"  # SUB-10: booleans have no order


class _All(msgspec.Struct, frozen=True, gc=False):
    """Matches what fulfils all conditions, and matches all parts."""

    conditions: tuple[Condition, ...]
    parts: tuple[Predicate, ...]

    def __call__(self, tags: Tags) -> bool:
        for name, test, operand in self.conditions:
            value = tags.get(name)  # None: there is no such tag
            if test == "equals":
                # In Python, True == 1. No other values of different kinds are equal.
                if value != operand or type(value) is bool:
                    return False
            elif not _TESTS[test](value, operand):
                return False
        for part in self.parts:  # noqa: SIM110 - a generator costs as much as the rest
            if not part(tags):
                return False
        return True


class _Any(msgspec.Struct, frozen=True, gc=False):
    """Matches what any part matches."""

    parts: tuple[Predicate, ...]

    def __call__(self, tags: Tags) -> bool:
        return any(part(tags) for part in self.parts)


class _Not(msgspec.Struct, frozen=True, gc=False):
    """Matches what its part does not match."""

    part: Predicate

    def __call__(self, tags: Tags) -> bool:
        return not self.part(tags)


class Definition(msgspec.Struct, frozen=True, gc=False):
    """What defines a valid filter, packed: as maps and lists it would be most of what the collector has to look at of a
    subscription.

    Attributes:
        packed: empty for {}; as it was given where it cannot be packed, such as integers of more than 64 bits.
    """

    packed: bytes | Mapping[str, Value]

    def __bool__(self) -> bool:
        return bool(self.packed)

    def unpack(self) -> dict[str, Value]:
        """A new map."""
        packed = self.packed
        if isinstance(packed, bytes):
            return _decoder.decode(packed) if packed else {}
        return dict(packed)


def define(definition: Mapping[str, Value] | None) -> Definition:
    """Keep what defines a valid filter."""
    if not definition:
        return Definition(b"")
    try:
        return Definition(_encoder.encode(definition))
    except (TypeError, ValueError, OverflowError):
        return Definition(definition)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[str, Any])


def _compares(compare: Callable[[Value, Value], bool], *types: type) -> Callable[[Value, Value], bool]:
    return lambda value, operand: type(value) in types and compare(value, operand)


_TESTS: dict[str, Callable[[Value, Value], bool]] = {
    "is": lambda value, operand: value is operand,
    "is not": lambda value, operand: value is not None and value is not operand,
    "differs": lambda value, operand: value is not None and (value != operand or type(value) is bool),
    "one of": lambda value, operand: (kind(value), value) in operand,
    "prefix": lambda value, operand: type(value) is str and value.startswith(operand),
    "present": lambda value, operand: value is not None,
    "absent": lambda value, operand: value is None,
    "never": lambda value, operand: False,
    **{f"{key} number": _compares(compare, *_NUMBERS) for key, compare in _ORDERED.items()},
    **{f"{key} text": _compares(compare, str) for key, compare in _ORDERED.items()},
}


def _plain_tag(value: Value) -> Value:
    """Convert NumPy scalars and subclasses to Python's own types: an index taken from an array, or an enum, is a
    natural tag."""
    if type(value) in (str, int, float, bool):
        return value
    item = getattr(value, "item", None)
    if item is not None and math.prod(getattr(value, "shape", ())) == 1:
        return item()
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    return str.__str__(value) if isinstance(value, str) else value
