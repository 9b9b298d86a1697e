"""Type hints as msgspec can check them (docs/python.md has the table).

msgspec is the checker. What it does not know is replaced by a Converter, a class of ours that it hands values to, so
that a hint is checked wherever it stands: in a list, a map, a tuple, a union, a dataclass. What neither of them can
check is refused when the method is registered.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import operator
import sys
import types
import typing
from collections import abc
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import msgspec

from wslink.rpc.call import Call
from wslink.wire.value import Value

Hint: TypeAlias = Any
"""A type hint, as the typing module has it."""

_UNIONS = (typing.Union, types.UnionType)
_LISTS = (abc.Iterable, abc.Reversible, abc.Container)
_BUILTINS = (bytes, bytearray, memoryview)
"""Types that arrive as themselves: text in their place is no base64."""


def origin_of(hint: Hint) -> Hint:
    """`typing.get_origin`, whatever type checkers take a hint for."""
    return typing.get_origin(hint)


class Unsupported(TypeError):
    """A hint that cannot be checked. The message says what is wrong with it."""


class _Converting(type):
    convert: Callable[[Value], Value]

    def __instancecheck__(cls, instance: object) -> bool:
        return True  # msgspec asks after it has converted


class Converter(metaclass=_Converting):
    """Stands for a hint that msgspec does not know. Subclasses are made by `converter`."""


def convert(value: Value, hint: Hint) -> Value:
    """`value` as `hint`, which `checkable` gave. Raises msgspec.ValidationError."""
    return msgspec.convert(value, hint, dec_hook=_decode, str_keys=False, builtin_types=_BUILTINS)


def _decode(expected: Hint, value: Value) -> Value:
    """What msgspec does not know: a Converter's, or instances of a class, such as numpy.ndarray."""
    if type(expected) is _Converting:
        return expected.convert(value)
    if isinstance(value, origin_of(expected) or expected):
        return value
    raise _expected(_name(expected), value)


def _expected(what: str, value: Value) -> ValueError:
    return ValueError(f"Expected `{what}`, got `{type(value).__name__}`")


def converter(name: str, function: Callable[[Hint], Hint]) -> Hint:
    return _Converting(name, (Converter,), {"convert": staticmethod(function)})


def _name(hint: Hint) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not typing.get_args(hint) else str(hint)


def checkable(hint: Hint, under_way: tuple[Hint, ...] = ()) -> Hint:
    """`hint`, or what stands for it where msgspec cannot check it.

    Args:
        hint: a resolved type hint.
        under_way: classes whose fields are being looked at, which may refer to themselves.

    Raises:
        Unsupported: if nothing can check it.
    """
    hint = _without_names(hint)
    inner = functools.partial(checkable, under_way=under_way)
    origin, args = origin_of(hint), typing.get_args(hint)
    if hint is Call:
        raise Unsupported("a Call is passed as a parameter of its own, and nowhere else")
    if origin is typing.Annotated:
        base = inner(args[0])
        return hint if base is args[0] else operator.getitem(typing.Annotated, (base, *hint.__metadata__))
    if origin in _UNIONS:
        return _union(hint, args, inner)
    if _is_numpy(origin or hint):
        return _array(hint, args)
    special = _collection(origin or hint, args, inner)
    if special is not None:
        return special
    if isinstance(hint, type) and origin is None:
        return _class(hint, under_way)
    if args and origin is not typing.Literal:
        return _parameterized(hint, origin, args, inner, under_way)
    return _native(hint)


def _native(hint: Hint) -> Hint:
    """`hint`, which msgspec knows, or a class whose instances can be told."""
    try:
        convert({}, msgspec.defstruct("probe", [("value", hint, None)]))
    except TypeError as error:
        raise Unsupported(f"{_name(hint)} cannot be checked: {str(error).splitlines()[0][:200]}") from None
    return hint


def _without_names(hint: Hint) -> Hint:
    """What a name stands for: a NewType, a type alias, a type variable."""
    if isinstance(hint, typing.TypeVar):
        if hint.__constraints__:
            return functools.reduce(operator.or_, hint.__constraints__)
        return Any if hint.__bound__ is None else hint.__bound__
    if _is_alias(hint):
        return _without_names(hint.__value__)
    if _is_alias(alias := origin_of(hint)):  # such as NumPy's NDArray[...], from NumPy 2.5 on
        given = dict(zip(alias.__type_params__, typing.get_args(hint), strict=True))
        return _without_names(alias.__value__[tuple(given[name] for name in alias.__value__.__parameters__)])
    return _without_names(hint.__supertype__) if hasattr(hint, "__supertype__") else hint


def _is_alias(hint: Hint) -> bool:
    """Whether it is a name that a `type` statement gave (Python 3.12)."""
    return type(hint).__name__ == "TypeAliasType"


# Unions --------------------------------------------------------------------------


def _union(hint: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint]) -> Hint:
    members = [inner(member) for member in args]
    if all(new is old for new, old in zip(members, args, strict=True)):
        try:
            return _native(hint)
        except Unsupported:
            pass  # msgspec cannot tell the members apart by their shapes
    elif len(members) == 2 and type(None) in args:
        return members[args.index(type(None)) - 1] | None
    return converter(str(hint), functools.partial(_one_of, hint, tuple(zip(args, members, strict=True))))


def _one_of(hint: Hint, members: tuple[tuple[Hint, Hint], ...], value: Value) -> Value:
    """`value` as the first member that takes it; of dataclasses, the first that also knows all of its keys."""
    found: list[Hint] = []
    for member, checked in members:
        try:
            new = convert(value, checked)
        except msgspec.ValidationError:
            continue
        if type(new) is type(value) or not isinstance(value, dict) or _field_names(member) >= value.keys():
            return new
        found.append(new)
    if found:
        return found[0]
    raise _expected(" | ".join(_name(member) for member, _ in members), value)


def _field_names(kind: Hint) -> frozenset[str]:
    kind = origin_of(kind) or kind
    if dataclasses.is_dataclass(kind):
        return frozenset(field.name for field in dataclasses.fields(kind))
    return frozenset(getattr(kind, "__struct_fields__", None) or getattr(kind, "__annotations__", None) or ())


# Collections ---------------------------------------------------------------------


def _collection(kind: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint]) -> Hint:
    """What stands for a collection that msgspec does not know; None for any other hint."""
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
    """What makes the missing values of a defaultdict: the type of its values, if that can be called for one."""
    kind = origin_of(args[1]) or args[1] if args else None
    return kind if kind in (int, float, str, bool, bytes, list, dict, set) else None


def _parameterized(
    hint: Hint, origin: Hint, args: tuple[Hint, ...], inner: Callable[[Hint], Hint], under_way: tuple[Hint, ...]
) -> Hint:
    if origin in under_way:
        return hint
    if isinstance(origin, type) and origin.__module__ not in ("builtins", "collections.abc", "typing"):
        return _class(hint, under_way)  # a generic class of the application's
    new = tuple(arg if arg is Ellipsis else inner(arg) for arg in args)
    if all(a is b for a, b in zip(new, args, strict=True)):
        return _native(hint)
    return _native(origin[new[0] if len(new) == 1 else new])


# Arrays ----------------------------------------------------------------------------


def _is_numpy(kind: Hint) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(kind, type) and issubclass(kind, (numpy.ndarray, numpy.generic))


def _array(hint: Hint, args: tuple[Hint, ...]) -> Hint:
    import numpy

    if isinstance(hint, type) and issubclass(hint, numpy.generic):
        return _scalar(hint)
    kinds = [typing.get_args(arg)[0] for arg in args[1:] if typing.get_args(arg)]  # of numpy.dtype[...]
    members = [_without_names(kind) for kind in _members(kinds[0])] if kinds else []
    scalars = tuple(kind for kind in (origin_of(m) or m for m in members) if _is_numpy(kind))
    if not scalars or numpy.generic in scalars or len(scalars) < len(members):
        return origin_of(hint) or hint
    names = " | ".join(kind.__name__ for kind in scalars)

    def check(value: Value) -> Value:
        if not isinstance(value, numpy.ndarray):
            raise _expected("numpy.ndarray", value)
        if not issubclass(value.dtype.type, scalars):
            raise ValueError(f"Expected an array of `{names}`, got one of `{value.dtype}`")
        return value

    return converter(f"an array of {names}", check)


def _members(hint: Hint) -> tuple[Hint, ...]:
    return typing.get_args(hint) if origin_of(hint) in _UNIONS else (hint,)


def _scalar(kind: Hint) -> Hint:
    """A NumPy scalar: a number that its type holds without loss of more than precision."""
    import numpy

    wanted = {"b": bool, "i": int, "u": int, "f": float}.get(numpy.dtype(kind).kind) if kind in _concrete() else None
    if wanted is None:
        raise Unsupported(f"no client can send a {kind.__name__}; use a plain number, text or an array")

    def check(value: Value) -> Value:
        plain = convert(value, wanted)
        try:
            return numpy.array(plain).astype(kind)[()] if wanted is not int else numpy.asarray(plain, kind)[()]
        except OverflowError:
            raise ValueError(f"Expected `{kind.__name__}`, got {plain}, which is out of its range") from None

    return converter(kind.__name__, check)


def _concrete() -> Iterable[Hint]:
    import numpy

    return numpy.sctypeDict.values()


# Classes ---------------------------------------------------------------------------


def _class(hint: Hint, under_way: tuple[Hint, ...]) -> Hint:
    """A class: one of msgspec's, one with fields, or one whose instances arrive as they are."""
    kind = origin_of(hint) or hint
    if kind in under_way:
        return hint
    if getattr(kind, "_is_protocol", False) and not getattr(kind, "_is_runtime_protocol", False):
        raise Unsupported(f"{kind.__qualname__} is a protocol that cannot be checked: make it @runtime_checkable")
    if hasattr(kind, "model_validate"):
        return converter(kind.__qualname__, functools.partial(_validated, kind))
    fields = _fields(kind)
    if fields is None:
        return _native(kind)
    variables = dict(zip(getattr(kind, "__parameters__", ()), typing.get_args(hint), strict=False))
    fields = {name: _substituted(field, variables) for name, field in fields.items()}
    checked = {name: checkable(field, (*under_way, kind)) for name, field in fields.items()}
    if all(checked[name] is field for name, field in fields.items()):
        return _native(hint)
    return converter(kind.__qualname__, functools.partial(_filled, kind, _shadow(kind, checked)))


def _substituted(hint: Hint, variables: dict[Hint, Hint]) -> Hint:
    """`hint` with what stands for its type variables."""
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ()) if origin_of(hint) else ()
    return hint[tuple(variables.get(parameter, parameter) for parameter in parameters)] if parameters else hint


def _validated(model: Hint, value: Value) -> Value:
    """A value as a model of pydantic's."""
    try:
        return model.model_validate(value)
    except ValueError as error:
        raise ValueError(f"Expected `{model.__qualname__}`: {'; '.join(str(error).splitlines()[1:3])}") from None


def _fields(kind: Hint) -> dict[str, Hint] | None:
    """The hints of the fields that a client fills; None for a class without fields."""
    names: Iterable[str]
    if dataclasses.is_dataclass(kind):
        names = [field.name for field in dataclasses.fields(kind) if field.init]
    elif typing.is_typeddict(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields")):
        names = list(kind.__annotations__)
    elif issubclass(kind, msgspec.Struct):
        names = kind.__struct_fields__
    else:
        return None
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except Exception as error:
        raise Unsupported(f"a field of {kind.__qualname__} has a hint that cannot be resolved: {error}") from None
    return {name: _bare(hints.get(name, Any)) for name in names}


def _bare(hint: Hint) -> Hint:
    """The hint of a key that is required or not."""
    marks = (getattr(typing, "Required", None), getattr(typing, "NotRequired", None))
    return typing.get_args(hint)[0] if origin_of(hint) in marks and typing.get_args(hint) else hint


def _shadow(kind: Hint, checked: dict[str, Hint]) -> Hint:
    """A struct with the fields of `kind`, all of which can be checked."""
    if issubclass(kind, msgspec.Struct):
        raise Unsupported(f"{kind.__qualname__} is a msgspec.Struct with a field that msgspec cannot check")
    optional: Callable[[str], bool]
    if typing.is_typeddict(kind):
        optional = lambda name: name not in kind.__required_keys__  # noqa: E731
    elif dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        given = {f.name: f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(kind)}
        optional = given.__getitem__
    else:
        optional = lambda name: name in kind._field_defaults  # noqa: E731
    fields: list[Hint] = [
        (name, hint, msgspec.field(default_factory=_Unset)) if optional(name) else (name, hint)
        for name, hint in checked.items()
    ]
    return msgspec.defstruct(kind.__qualname__.rpartition(".")[2], fields, kw_only=True)


class _Unset:
    """The default of a field that was not sent."""


def _filled(kind: Hint, shadow: Hint, value: Value) -> Value:
    if isinstance(value, (list, tuple)) and issubclass(kind, tuple):
        value = dict(zip(kind._fields, value, strict=False))
    found = convert(value, shadow)
    given = {name: item for name in shadow.__struct_fields__ if type(item := getattr(found, name)) is not _Unset}
    return kind(**given)
