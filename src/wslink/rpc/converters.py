"""Converters for type hints that msgspec does not support, and the conversion of values."""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from wslink.wire.value import Value

Hint: TypeAlias = Any
"""A type hint, as the typing module represents it."""

UNIONS = (typing.Union, types.UnionType)
BUILTINS = (bytes, bytearray, memoryview)
"""Types that are not converted: text is not accepted as base64 for them."""


def origin_of(hint: Hint) -> Hint:
    """`typing.get_origin`, without the type checkers' restrictions."""
    return typing.get_origin(hint)


def options_of(hint: Hint) -> Hint | None:
    """The TypedDict of `**options: Unpack[Options]`, with Unpack of typing or of typing_extensions; None for any other
    hint."""
    return typing.get_args(hint)[0] if str(typing.get_origin(hint)).endswith(".Unpack") else None


def is_typeddict(hint: Hint) -> bool:
    """Whether it is a TypedDict. Before Python 3.13, those of typing_extensions differ from typing's."""
    return type(hint).__name__ == "_TypedDictMeta"


class Unsupported(TypeError):
    """A type hint that cannot be checked. The message says why."""


class _Converting(type):
    convert: Callable[[Value], Value]

    def __instancecheck__(cls, instance: object) -> bool:
        return True  # msgspec asks after the conversion


class Converter(metaclass=_Converting):
    """Stands for a type hint that msgspec does not support. Subclasses are created by `converter`."""


def convert(value: Value, hint: Hint) -> Value:
    """Convert `value` to `hint`, which `checkable` returned. Raises msgspec.ValidationError."""
    return msgspec.convert(value, hint, dec_hook=_decode, str_keys=False, builtin_types=BUILTINS)


def _decode(expected: Hint, value: Value) -> Value:
    """Convert to types that msgspec does not support: Converters, and classes such as numpy.ndarray."""
    if type(expected) is _Converting:
        try:
            return expected.convert(value)
        except msgspec.ValidationError as error:  # msgspec adds the location only to other exceptions
            raise ValueError(str(error)) from None
    if isinstance(value, origin_of(expected) or expected):
        return value
    raise expected_not(name_of(expected), value)


def expected_not(what: str, value: Value) -> ValueError:
    return ValueError(f"Expected `{what}`, got `{type(value).__name__}`")


def converter(name: str, function: Callable[[Hint], Hint]) -> Hint:
    return _Converting(name, (Converter,), {"convert": staticmethod(function)})


def name_of(hint: Hint) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def without_names(hint: Hint) -> Hint:
    """Replace a name by what it stands for: a NewType, a type alias, a type variable."""
    if isinstance(hint, typing.TypeVar):
        if hint.__constraints__:
            return functools.reduce(operator.or_, hint.__constraints__)
        return Any if hint.__bound__ is None else hint.__bound__
    if _is_alias(hint):
        return without_names(hint.__value__)
    if _is_alias(alias := origin_of(hint)):  # such as NumPy's NDArray[...], from NumPy 2.5 on
        given = dict(zip(alias.__type_params__, typing.get_args(hint), strict=True))
        return without_names(alias.__value__[tuple(given[name] for name in alias.__value__.__parameters__)])
    return without_names(hint.__supertype__) if hasattr(hint, "__supertype__") else hint


def alias_of(hint: Hint) -> Hint | None:
    """The type alias (`type` statement, Python 3.12) of a hint; None if there is none."""
    return next((one for one in (hint, origin_of(hint)) if _is_alias(one)), None)


def _is_alias(hint: Hint) -> bool:
    """Whether it was defined by a `type` statement (Python 3.12)."""
    return type(hint).__name__ == "TypeAliasType"
