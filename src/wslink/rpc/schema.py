"""The parameters of a method, read from its signature and type hints, and the check of arguments against them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wslink.errors import InvalidParams, UsageError
from wslink.rpc.call import Call

MAX_WHY = 400
"""Characters of what is wrong with an argument: it may quote what was sent."""
_Kind = inspect.Parameter
_UNCHANGED = frozenset((str, int, float, bool, bytes))
"""Types whose values a check lets pass as they are."""


class Signature:
    """The parameters of a method that clients fill, and how to check them."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        hints = _type_hints(function)
        parameters = list(inspect.signature(function).parameters.values())
        self._call_name = next((p.name for p in parameters if _is_call(hints.get(p.name))), None)
        self._in_place = [p.name for p in parameters if p.kind in (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)]
        self._positional_only = any(p.kind is _Kind.POSITIONAL_ONLY for p in parameters)
        parameters = [p for p in parameters if p.name != self._call_name]
        self._var_positional = any(p.kind is _Kind.VAR_POSITIONAL for p in parameters)
        self._var_keyword = any(p.kind is _Kind.VAR_KEYWORD for p in parameters)
        named = [p for p in parameters if p.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)]
        self._positional = [p.name for p in named if p.kind is not _Kind.KEYWORD_ONLY]
        self._names = frozenset(p.name for p in named)
        self._struct = _struct(name, named, hints)
        self._row = self._make_row(named, hints)
        self.plain_types = self._types_to_pass(parameters, hints)

    def _make_row(self, named: list[inspect.Parameter], hints: dict[str, Any]) -> type[msgspec.Struct] | None:
        """What checks positional arguments alone, which most calls have; None where that is not enough."""
        positional = [p for p in named if p.kind is not _Kind.KEYWORD_ONLY]
        if any(p.kind is _Kind.KEYWORD_ONLY and p.default is _Kind.empty for p in named):
            return None
        return _struct(self._name, positional, hints, array_like=True)

    def _types_to_pass(self, parameters: list[inspect.Parameter], hints: dict[str, Any]) -> tuple[type, ...] | None:
        """The types of arguments that need no look at their values, since conversion would return them unchanged;
        None where one could change them."""
        wanted = tuple(hints.get(parameter.name) for parameter in parameters)
        plain = self._call_name is None and all(p.kind is _Kind.POSITIONAL_OR_KEYWORD for p in parameters)
        return wanted if plain and _UNCHANGED.issuperset(wanted) else None  # type: ignore[return-value]

    def bind(self, args: list[Any], kwargs: dict[str, Any], call: Call) -> tuple[Sequence[Any], dict[str, Any]]:
        if not kwargs:
            if tuple(map(type, args)) == self.plain_types:
                return args, kwargs
            if self._row is not None and len(args) <= len(self._positional):
                with contextlib.suppress(msgspec.ValidationError):  # said below, with the argument's name
                    found = msgspec.convert(args, self._row, dec_hook=_keep_instance, str_keys=False)
                    row = msgspec.structs.astuple(found)
                    return self._with_call(row, call) if self._call_name is not None else (row, {})
        values, extra = self._spread(args, kwargs)
        try:
            checked = msgspec.convert(values, self._struct, dec_hook=_keep_instance, str_keys=False)
        except msgspec.ValidationError as error:
            raise self._refuse(_explain(error)) from None
        fields = {name: getattr(checked, name) for name in self._struct.__struct_fields__}
        if self._call_name is not None:
            fields[self._call_name] = call
        positional = list(extra)
        if extra or self._positional_only:
            positional = [fields.pop(name) for name in self._in_place] + positional
        fields.update((key, value) for key, value in kwargs.items() if key not in self._names)
        return positional, fields

    def _with_call(self, row: tuple[Any, ...], call: Call) -> tuple[Sequence[Any], dict[str, Any]]:
        if self._call_name not in self._in_place:
            return row, {str(self._call_name): call}
        index = self._in_place.index(self._call_name)
        return (*row[:index], call, *row[index:]), {}

    def _spread(self, args: list[Any], kwargs: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Arguments by name, and those beyond the named positional ones."""
        extra = args[len(self._positional) :]
        if extra and not self._var_positional:
            raise self._refuse(f"takes at most {len(self._positional)} positional arguments, got {len(args)}")
        values = dict(zip(self._positional, args, strict=False))
        for name, value in kwargs.items():
            if name in values:
                raise self._refuse(f"argument '{name}' was given twice")
            if name in self._names:
                values[name] = value
            elif name == self._call_name or not self._var_keyword:
                raise self._refuse(f"unknown argument '{name}'")
        return values, extra

    def _refuse(self, why: str) -> InvalidParams:
        allowed = ", ".join(self._struct.__struct_fields__) or "none"
        why = why if len(why) <= MAX_WHY else f"{why[: MAX_WHY // 2]} ... {why[-MAX_WHY // 2 :]}"
        return InvalidParams(f"{self._name}: {why}; its arguments: {allowed}", self._name)


def _type_hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The resolved type hints; those that name what exists for the type checker only are left out, but for `Call`,
    which no client may send."""
    hints: dict[str, Any] = {}
    target = inspect.unwrap(getattr(function, "__func__", function))
    names = {"Call": Call, "wslink": sys.modules["wslink"], **getattr(target, "__globals__", {})}
    for name, annotation in getattr(target, "__annotations__", {}).items():
        holder = types.SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(NameError, TypeError, AttributeError):
            hints.update(typing.get_type_hints(holder, names, include_extras=True))
    return hints


def _is_call(hint: Any) -> bool:
    return hint is Call or Call in typing.get_args(hint)


def _struct(
    name: str, parameters: list[inspect.Parameter], hints: dict[str, Any], array_like: bool = False
) -> type[msgspec.Struct]:
    """A struct with a field per parameter, by which msgspec checks and converts arguments."""
    fields: list[Any] = []
    for parameter in parameters:
        if parameter.name.startswith("__"):
            raise UsageError(f"method {name!r}: parameter {parameter.name!r} begins with two underscores")
        hint = _checkable(hints.get(parameter.name, Any))
        if parameter.default is _Kind.empty:
            fields.append((parameter.name, hint))
        else:
            default = functools.partial(_identity, parameter.default)
            fields.append((parameter.name, hint, msgspec.field(default_factory=default)))
    return msgspec.defstruct(name.replace(".", "_"), fields, kw_only=not array_like, array_like=array_like)


def _identity(value: Any) -> Any:
    return value


def _checkable(hint: Any) -> Any:
    """`hint`, or Any where msgspec cannot check it."""
    origin = typing.get_origin(hint)
    if isinstance(origin, type) and origin.__module__ == "numpy":  # numpy.typing.NDArray[...]
        return origin
    try:
        msgspec.convert({}, msgspec.defstruct("probe", [("value", hint, None)]), dec_hook=_keep_instance)
    except TypeError:
        return Any
    return hint


def _keep_instance(expected: type, value: Any) -> Any:
    """Let msgspec accept instances of classes that it does not know, such as numpy.ndarray."""
    if isinstance(value, expected):
        return value
    raise ValueError(f"Expected `{expected.__name__}`, got `{type(value).__name__}`")


def _explain(error: msgspec.ValidationError) -> str:
    text = str(error)
    return (
        text.replace("Object missing required field", "missing argument")
        .replace("$.", "")
        .replace("`$`", "the arguments")
    )
