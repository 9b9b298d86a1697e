"""Conversion of type hints to ones that msgspec can check (docs/python.md has the table).

msgspec does the checking. Types that it does not support are replaced by a Converter, a class to which it passes
values, so that a type hint is checked wherever it occurs: in a list, a map, a tuple, a union, a dataclass. What neither
can check is refused when the method is registered.
"""

from __future__ import annotations

import collections
import dataclasses
import enum
import functools
import operator
import sys
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from wslink.rpc.arrays import Array, array_hint, dims, is_numpy, numpy_hint
from wslink.rpc.call import Call
from wslink.rpc.converters import (
    UNIONS,
    Hint,
    Unsupported,
    alias_of,
    convert,
    converter,
    expected_not,
    is_typeddict,
    name_of,
    origin_of,
    without_names,
)
from wslink.rpc.generics import field_hints
from wslink.wire.value import Value

UnderWay: TypeAlias = Mapping[Hint, Hint]
NONE: UnderWay = types.MappingProxyType({})
MAX_NAMES = 64
"""The maximum nesting of named types."""
_LISTS = (abc.Iterable, abc.Reversible, abc.Container)


def checkable(hint: Hint, under_way: UnderWay = NONE) -> Hint:
    """Return `hint`, or a replacement that msgspec can check.

    Args:
        hint: a resolved type hint.
        under_way: the classes whose fields are currently being converted, which may refer to themselves, with their
            replacement; None for the class itself. Outside of classes, the aliases that are being resolved.

    Raises:
        Unsupported: nothing can check it.
    """
    under_way = _with_alias(hint, under_way)
    hint = without_names(hint)
    inner = functools.partial(checkable, under_way=under_way)
    origin, args = origin_of(hint), typing.get_args(hint)
    if hint is Call:
        raise Unsupported("a Call is passed as a parameter of its own, and nowhere else")
    if origin is typing.Annotated:
        array = next((note for note in hint.__metadata__ if isinstance(note, Array)), None)
        if array is not None:
            return array_hint(array, args[0])
        base = inner(args[0])
        noted = hint if base is args[0] else operator.getitem(typing.Annotated, (base, *hint.__metadata__))
        return _native(noted)
    if origin in UNIONS:
        return _union(hint, args, inner)
    if is_numpy(origin or hint):
        return numpy_hint(hint, args)
    special = _collection(origin or hint, args, inner)
    if special is not None:
        return special
    if isinstance(hint, type) and origin is None:
        return _class(hint, under_way)
    if origin is typing.Literal and any(isinstance(one, enum.Enum) for one in args):
        return _built(str(hint), functools.partial(_literal, {_plain(one): one for one in args}), Any)
    if args and origin is not typing.Literal:
        return _parameterized(hint, origin, args, inner, under_way)
    return _native(hint)


def _with_alias(hint: Hint, under_way: UnderWay) -> UnderWay:
    """Add the type alias of the hint to `under_way`. Raises Unsupported if it is there already."""
    alias = alias_of(hint)
    if alias is None:
        return under_way
    if hint in under_way or len(under_way) > MAX_NAMES:  # it may refer to itself with different types each time
        raise Unsupported(f"type {alias.__name__} refers to itself, as only classes may: take a dataclass, or Any")
    return {**under_way, hint: None}


def _native(hint: Hint) -> Hint:
    """Return `hint` if msgspec supports it, or if it is a class for `isinstance` checks. Raises Unsupported."""
    try:
        probe = msgspec.defstruct("probe", [("value", hint, None)])
        convert({}, probe)
    except TypeError as error:
        raise Unsupported(f"{name_of(hint)} cannot be checked: {str(error).splitlines()[0][:200]}") from None
    if not probe.__struct_fields__:  # as for a ClassVar
        raise Unsupported(f"{name_of(hint)} is not the type of a value")
    return hint


def _plain(literal: Value) -> tuple[type, Value]:
    """What a client sends for a value of a Literal, with its type, since True == 1."""
    value = literal.value if isinstance(literal, enum.Enum) else literal
    return type(value), value


def _literal(known: Mapping[tuple[type, Value], Value], value: Value) -> Value:
    """Return the value of a Literal with members of enumerations, which msgspec does not support."""
    try:
        return known[_plain(value)]
    except (KeyError, TypeError):
        raise ValueError(f"Invalid value {value!r:.100}: one of {', '.join(repr(one) for _, one in known)}") from None


# Unions --------------------------------------------------------------------------


def _union(hint: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint]) -> Hint:
    members = [inner(member) for member in args]
    if all(new is old for new, old in zip(members, args, strict=True)):
        try:
            return _native(hint)
        except Unsupported:
            pass  # msgspec cannot distinguish the members by their shapes
    elif len(members) == 2 and type(None) in args:
        return members[args.index(type(None)) - 1] | None
    return converter(str(hint), functools.partial(_one_of, hint, tuple(zip(args, members, strict=True))))


def _one_of(hint: Hint, members: tuple[tuple[Hint, Hint], ...], value: Value) -> Value:
    """Return `value` as the first member that accepts it; for dataclasses, the first one that has all of its keys."""
    found: list[tuple[Hint, Mapping[str, int]]] = []
    before = dims.known
    for member, checked in members:
        dims.known = before
        try:
            new = convert(value, checked)
        except msgspec.ValidationError:
            continue
        if type(new) is type(value) or not isinstance(value, dict) or _field_names(member) >= value.keys():
            return new
        found.append((new, dims.known))
    if found:
        first, dims.known = found[0]
        return first
    dims.known = before
    raise expected_not(" | ".join(name_of(member) for member, _ in members), value)


def _field_names(kind: Hint) -> frozenset[str]:
    kind = origin_of(kind) or kind
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    return frozenset(getattr(kind, "__struct_fields__", None) or getattr(kind, "__annotations__", None) or ())


# Collections ---------------------------------------------------------------------


def _collection(kind: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint]) -> Hint:
    """Return the replacement of a collection that msgspec does not support; None for any other hint."""
    first = inner(args[0]) if args and kind in (*_LISTS, abc.Iterator, collections.deque, collections.Counter) else Any
    if kind in _LISTS:
        return list[first]  # type: ignore[valid-type]
    if kind is abc.Iterator:
        return _built("Iterator", iter, list[first])  # type: ignore[valid-type]
    if kind is collections.deque:
        return _built("deque", collections.deque, list[first])  # type: ignore[valid-type]
    if kind is collections.Counter:
        return _built("Counter", collections.Counter, dict[first, int])  # type: ignore[valid-type]
    if kind in (collections.OrderedDict, collections.defaultdict):
        key, value = map(inner, args) if args else (Any, Any)
        made = functools.partial(collections.defaultdict, _factory(args)) if kind is collections.defaultdict else kind
        return _built(kind.__name__, made, dict[key, value])  # type: ignore[valid-type]
    if kind in _NO_VALUES or (isinstance(kind, type) and kind in (type, object)):
        if kind is object:
            return Any
        raise Unsupported(f"no client can send a {getattr(kind, '__name__', kind)}")
    return None


_NO_VALUES = (abc.Callable, abc.Generator, abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator, abc.Awaitable,
              abc.Coroutine, typing.NoReturn, typing.ParamSpec, collections.ChainMap)  # fmt: skip


def _built(name: str, make: Callable[[Hint], Hint], plain: Hint) -> Hint:
    return converter(name, lambda value: make(convert(value, plain)))


def _factory(args: tuple[Hint, ...]) -> Hint:
    """The default factory of a defaultdict: the type of its values, if that can be called without arguments."""
    kind = origin_of(args[1]) or args[1] if args else None
    return kind if kind in (int, float, str, bool, bytes, list, dict, set) else None


def _parameterized(
    hint: Hint, origin: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint], under_way: UnderWay
) -> Hint:
    if origin in under_way:
        return under_way[origin] or hint
    if isinstance(origin, type) and origin.__module__ not in ("builtins", "collections.abc", "typing"):
        return _class(hint, under_way)  # a generic class of the application's
    new = tuple(arg if arg is Ellipsis else inner(arg) for arg in args)
    if all(a is b for a, b in zip(new, args, strict=True)):
        return _native(hint)
    return _native(origin[new[0] if len(new) == 1 else new])


# Classes ---------------------------------------------------------------------------


def _class(hint: Hint, under_way: UnderWay) -> Hint:
    """Convert a class: one that msgspec supports, one with fields, or one for `isinstance` checks."""
    kind = origin_of(hint) or hint
    if kind in under_way:
        return under_way[kind] or hint
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        raise Unsupported(f"{kind.__qualname__} is a protocol that cannot be checked: make it @runtime_checkable")
    if hasattr(kind, "model_validate"):
        return converter(kind.__qualname__, functools.partial(_validated, kind))
    fields = _fields(kind, hint)
    if fields is None:
        return _native(kind)
    classes = {one: stands_for for one, stands_for in under_way.items() if isinstance(one, type)}
    checked = {name: checkable(field, {**classes, kind: None}) for name, field in fields.items()}
    in_struct = any(isinstance(one, type) and issubclass(one, msgspec.Struct) for one in under_way)
    if all(checked[name] is field for name, field in fields.items()) and (in_struct or not _forgets_defaults(kind)):
        return _native(hint)
    made: list[Hint] = []
    itself = converter(kind.__qualname__, lambda value: _filled(kind, made[0], value))
    checked = {name: checkable(field, {**classes, kind: itself}) for name, field in fields.items()}
    made.append(_shadow(kind, checked))
    return itself


def _forgets_defaults(kind: Hint) -> bool:
    """Whether msgspec does not set fields that have their default: they would be missing when the instance is sent."""
    if not dataclasses.is_dataclass(kind) or "__slots__" in vars(kind):
        return False
    return any(field.default is not dataclasses.MISSING for field in dataclasses.fields(kind))


def _validated(model: Hint, value: Value) -> Value:
    """Convert a value to a pydantic model."""
    try:
        return model.model_validate(value)
    except ValueError as error:
        raise ValueError(f"Expected `{model.__qualname__}`: {'; '.join(str(error).splitlines()[1:3])}") from None


def _fields(kind: Hint, hint: Hint) -> dict[str, Hint] | None:
    """The type hints of the fields of `hint`, an instance of `kind`, that clients fill; None for a class without
    fields."""
    names: Iterable[str]
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.init]
    elif is_typeddict(kind):
        names = list(kind.__annotations__)
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = kind._fields
    elif issubclass(kind, msgspec.Struct):
        names = kind.__struct_fields__
    elif hasattr(kind, "__attrs_attrs__"):
        names = [field.name for field in kind.__attrs_attrs__ if field.init]
    else:
        return None
    try:
        hints = field_hints(hint)
    except Exception as error:
        raise Unsupported(f"a field of {kind.__qualname__} has a hint that cannot be resolved: {error}") from None
    return {name: bare(hints.get(name, Any)) for name in names}


def bare(hint: Hint) -> Hint:
    """Remove Required, NotRequired, ReadOnly and Final from a field's hint."""
    return typing.get_args(hint)[0] if _mark_of(hint) else hint


def _mark_of(hint: Hint) -> str:
    """Required, NotRequired, ReadOnly or Final, of typing or typing_extensions; "" for none."""
    mark = str(origin_of(hint)).rpartition(".")[2]
    return mark if mark in ("Required", "NotRequired", "ReadOnly", "Final") else ""


def required_keys(kind: Hint) -> frozenset[str]:
    """The required keys of a TypedDict. With `from __future__ import annotations` it does not know them itself."""
    hints = typing.get_type_hints(kind, include_extras=True)
    optional = {name for name, hint in hints.items() if _mark_of(hint) == "NotRequired"}
    required = {name for name, hint in hints.items() if _mark_of(hint) == "Required"}
    return frozenset((kind.__required_keys__ - optional) | required)


def _shadow(kind: Hint, checked: dict[str, Hint]) -> Hint:
    """Create a struct with the fields of `kind`, all of which msgspec can check."""
    if issubclass(kind, msgspec.Struct):
        raise Unsupported(f"{kind.__qualname__} is a msgspec.Struct with a field that msgspec cannot check")
    optional: Callable[[str], bool]
    if is_typeddict(kind):
        required = required_keys(kind)
        optional = lambda name: name not in required  # noqa: E731
    elif dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        given = {f.name: f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(kind)}
        optional = given.__getitem__
    elif hasattr(kind, "__attrs_attrs__"):
        nothing = sys.modules["attr"].NOTHING
        optional = {field.name: field.default is not nothing for field in kind.__attrs_attrs__}.__getitem__
    else:
        optional = lambda name: name in kind._field_defaults  # noqa: E731
    fields: list[Hint] = [
        (name, hint, msgspec.field(default_factory=_Unset)) if optional(name) else (name, hint)
        for name, hint in checked.items()
    ]
    return msgspec.defstruct(kind.__qualname__.rpartition(".")[2], fields, kw_only=True)


class _Unset:
    """The default of fields that were not sent."""


def _filled(kind: Hint, shadow: Hint, value: Value) -> Value:
    if isinstance(value, (list, tuple)) and issubclass(kind, tuple):
        if len(value) > len(kind._fields):
            raise ValueError(f"Expected `array` of length {_lengths(kind)}, got {len(value)}")
        value = dict(zip(kind._fields, value, strict=False))
    found = convert(value, shadow)
    given = {name: item for name in shadow.__struct_fields__ if type(item := getattr(found, name)) is not _Unset}
    aliases = {field.name: field.alias for field in getattr(kind, "__attrs_attrs__", ())}
    return kind(**{aliases.get(name, name): item for name, item in given.items()})


def _lengths(kind: Hint) -> str:
    """The possible lengths of a NamedTuple, in the format of msgspec's messages."""
    most = len(kind._fields)
    return f"{most - len(kind._field_defaults)} to {most}" if kind._field_defaults else str(most)
