"""Filters of subscriptions (SUB-8 to SUB-11): checked once, then evaluated against the tags of each publication."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping

from wslink.errors import InvalidParams, UsageError
from wslink.wire.limits import Limits
from wslink.wire.show import shown
from wslink.wire.value import Value

Tag = str | int | float | bool
Tags = Mapping[str, Tag]
Predicate = Callable[[Tags], bool]

_ORDERED: dict[str, Callable[[Value, Value], bool]] = {
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
}
OPERATORS = (*_ORDERED, "ne")
_NUMBERS = (int, float)  # of a tag: check_tags makes plain ones of all others


def check_tags(tags: Value) -> dict[str, Tag]:
    """`tags` as a plain map.

    Raises:
        UsageError: naming the tag that is not a string, number or boolean.
    """
    if not isinstance(tags, Mapping):
        raise UsageError(
            f"tags must be a mapping from names to strings, numbers or booleans, not {type(tags).__name__}"
        )
    plain = {name: _plain_tag(value) for name, value in tags.items()}
    for name, value in plain.items():
        if not isinstance(name, str) or _kind(value) is None:
            raise UsageError(
                f"tag {name!r} is {value!r}: a tag has a string for a name and a string, number or boolean for a value"
            )
    return plain


def compile_filter(definition: Value, limits: Limits) -> Predicate:
    """A predicate over tags.

    Raises:
        InvalidParams: saying what is wrong with the filter and what is allowed.
    """
    if definition is None:
        return _everything
    if not isinstance(definition, Mapping):
        raise InvalidParams(f"a filter must be a map from tag names to conditions, not {type(definition).__name__}")
    if len(definition) > limits.max_filter_conditions:
        raise InvalidParams(
            f"a filter of {len(definition)} conditions is over max_filter_conditions ({limits.max_filter_conditions})"
        )
    if not definition:
        return _everything
    if any(len(text) > limits.max_filter_text for text in _texts(definition)):
        raise InvalidParams(
            f"a name or string in a filter is over max_filter_text ({limits.max_filter_text}) characters"
        )
    conditions = [(name, _condition(name, condition, limits)) for name, condition in definition.items()]

    def matches(tags: Tags) -> bool:
        for name, holds in conditions:  # noqa: SIM110 - a generator costs as much as the rest
            if name not in tags or not holds(tags[name]):
                return False
        return True

    return matches


def _everything(tags: Tags) -> bool:
    return True


def _texts(definition: Mapping[Value, Value]) -> Iterator[str]:
    """Every string in a filter that could be valid."""
    for name, condition in definition.items():
        parts = condition.values() if isinstance(condition, Mapping) else condition
        for part in (name, *(parts if isinstance(condition, (Mapping, list, tuple)) else (condition,))):
            if isinstance(part, str):
                yield part


def _condition(name: Value, condition: Value, limits: Limits) -> Callable[[Value], bool]:
    if not isinstance(name, str):
        raise InvalidParams(f"filter: a tag's name must be a string, not {shown(name)}")
    if isinstance(condition, (list, tuple)):
        return _one_of(name, condition, limits)
    if isinstance(condition, Mapping):
        return _bounds(name, condition)
    return _equal_to(_operand(name, condition))


def _operand(name: str, value: Value) -> Tag:
    if _kind(value) is None or value != value:
        raise InvalidParams(
            f"filter on {shown(name)}: {shown(value)} is not allowed; a condition is a string, number or boolean, a "
            f"list of these, or a map with any of {', '.join(OPERATORS)}"
        )
    return value  # type: ignore[no-any-return]


def _equal_to(operand: Tag) -> Callable[[Value], bool]:
    if type(operand) is bool:
        return lambda value: value is operand
    # A boolean equals a number in Python, and nothing else equals one of another kind.
    return lambda value: value == operand and type(value) is not bool


def _one_of(name: str, values: Value, limits: Limits) -> Callable[[Value], bool]:
    if len(values) > limits.max_filter_values:
        raise InvalidParams(
            f"filter on {shown(name)}: {len(values)} values are over max_filter_values ({limits.max_filter_values})"
        )
    allowed = {(_kind(_operand(name, value)), value) for value in values}
    return lambda value: (_kind(value), value) in allowed


def _bounds(name: str, bounds: Mapping[Value, Value]) -> Callable[[Value], bool]:
    if not bounds or not all(key in OPERATORS for key in bounds):
        raise InvalidParams(
            f"filter on {shown(name)}: {shown(dict(bounds))} must have one or more of {', '.join(OPERATORS)}, and no "
            "other key"
        )
    tests = [_bound(key, _operand(name, operand)) for key, operand in bounds.items()]

    def within(value: Value) -> bool:
        for test in tests:  # noqa: SIM110 - as above
            if not test(value):
                return False
        return True

    return within


def _bound(key: str, operand: Tag) -> Callable[[Value], bool]:
    if key == "ne":
        equal = _equal_to(operand)
        return lambda value: not equal(value)
    compare, kind = _ORDERED[key], _kind(operand)
    if kind is bool:
        return lambda value: False  # SUB-10: booleans have no order
    if kind is str:
        return lambda value: type(value) is str and compare(value, operand)
    return lambda value: type(value) in _NUMBERS and compare(value, operand)


def values_of(condition: object) -> set[object] | None:
    """The values that a valid condition asks for, as they are told apart; None where it compares."""
    if isinstance(condition, Mapping):
        return None
    values = condition if isinstance(condition, (list, tuple)) else (condition,)
    return {(_kind(value), value) for value in values}


def _kind(value: Value) -> type | None:
    """str, float (for every number), bool, or None for what cannot be a tag."""
    if isinstance(value, bool):
        return bool
    if isinstance(value, (int, float)):
        return float
    return str if isinstance(value, str) else None


def _plain_tag(value: Value) -> Value:
    """NumPy scalars and subclasses as Python's own: an index taken from an array, or an enum, is a natural tag."""
    if type(value) in (str, int, float, bool):
        return value
    item = getattr(value, "item", None)
    if item is not None and not math.prod(getattr(value, "shape", ())) > 1:
        return item()
    if isinstance(value, (int, float)):
        return int(value) if isinstance(value, int) else float(value)
    return str.__str__(value) if isinstance(value, str) else value
