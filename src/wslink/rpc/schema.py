"""The parameters of a method, from its signature and type hints, and the check of arguments against them."""

from __future__ import annotations

import contextlib
import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from wslink.errors import InvalidParams, UsageError
from wslink.rpc.arrays import NO_LENGTHS, dims
from wslink.rpc.call import Call
from wslink.rpc.converters import UNIONS, Hint, Unsupported, convert, options_of, origin_of
from wslink.rpc.explain import explain
from wslink.rpc.hints import checkable
from wslink.rpc.resolution import resolve
from wslink.rpc.stream_hints import StreamArgument, item_of, result_item, stream_check, streams
from wslink.rpc.streams import Inlet
from wslink.wire.show import explained
from wslink.wire.value import Value

_Kind = inspect.Parameter
_UNCHANGED = frozenset((str, int, float, bool, bytes))
"""Types whose values are not changed by a check."""
OF_CALLS = frozenset(("timeout", "signal", "retry", "onProgress", "on_progress", "onTransfer", "on_transfer"))
"""Options of a call in the clients, which are easily passed among its arguments by mistake."""
APART = " (options of a call are given apart from its arguments)"


class Signature:
    """The parameters of a method that clients fill, and how to check them.

    Attributes:
        parameters: the parameters that clients fill, in order.
        hints: the resolved type hints by parameter name; that of the result is "return".
        lost: the names of those that cannot be resolved.
        plain_types: see Method.
        streams: whether it streams its results.
        item: the type hint of the stream's items; None if it does not stream.
        stream_parameters: by name, the type hints of the items of parameters that are streams.

    Raises:
        UsageError: a parameter's type hint cannot be checked. The message names the parameter.
    """

    def __init__(self, name: str, function: Callable[..., Value]) -> None:
        self._name = name
        hints, lost = resolve(function)
        parameters = _open_parameters(function)
        for parameter in parameters:
            if parameter.name in lost:
                raise UsageError(
                    f"method {name!r}: the type hint of parameter {parameter.name!r} cannot be resolved; import "
                    "what it names at run time, too"
                )
        self._call_names = tuple(p.name for p in parameters if self._is_call(p, hints.get(p.name)))
        self._in_place = [p.name for p in parameters if p.kind in (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)]
        self._positional_only = any(p.kind is _Kind.POSITIONAL_ONLY for p in parameters)
        parameters = [p for p in parameters if p.name not in self._call_names]
        self.parameters: tuple[inspect.Parameter, ...] = tuple(parameters)
        self.hints: dict[str, Hint] = hints
        self.lost: tuple[str, ...] = tuple(lost)
        self._rest = self._of_kind(parameters, _Kind.VAR_POSITIONAL, hints)
        self._more = self._of_kind(parameters, _Kind.VAR_KEYWORD, hints)
        names = {p.kind: p.name for p in parameters}
        self._rest_name, self._more_name = names.get(_Kind.VAR_POSITIONAL), names.get(_Kind.VAR_KEYWORD)
        named = [p for p in parameters if p.kind not in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD)]
        self._positional = [p.name for p in named if p.kind is not _Kind.KEYWORD_ONLY]
        self._names = frozenset(p.name for p in named)
        returned = hints.get("return", Any)
        self.streams: bool = streams(function, returned)
        self.item: Hint | None = result_item(returned) if self.streams else None
        self.stream_parameters: dict[str, Hint] = {
            p.name: item for p in named if (item := item_of(hints.get(p.name, Any))) is not None
        }
        self._item_checks = {name: self._checkable(name, item) for name, item in self.stream_parameters.items()}
        checked = {
            p.name: stream_check(hints[p.name])
            if p.name in self._item_checks
            else self._checkable(p.name, hints.get(p.name, Any))
            for p in named
        }
        self._struct = _struct(name, named, checked)
        self._row = self._make_row(named, checked)
        self.plain_types: tuple[type, ...] | None = self._types_to_pass(parameters, hints)

    def _is_call(self, parameter: inspect.Parameter, hint: Hint) -> bool:
        if not _is_call(hint):
            return False
        if parameter.kind in (_Kind.VAR_POSITIONAL, _Kind.VAR_KEYWORD):
            raise UsageError(f"method {self._name!r}: parameter {parameter.name!r} cannot be several calls")
        return True

    def _checkable(self, parameter: str, hint: Hint) -> Value:
        try:
            return checkable(hint)
        except Unsupported as error:
            raise UsageError(f"method {self._name!r}: parameter {parameter!r}: {error}") from None

    def _of_kind(self, parameters: list[inspect.Parameter], kind: Value, hints: dict[str, Hint]) -> Value:
        """The type that checks all arguments of `*values` or `**values`; None if there is no such parameter."""
        parameter = next((p for p in parameters if p.kind is kind), None)
        if parameter is None:
            return None
        hint = hints.get(parameter.name, Any)
        if kind is _Kind.VAR_POSITIONAL:
            return list[self._checkable(parameter.name, hint)]  # type: ignore[misc]
        if (options := options_of(hint)) is not None:
            return self._checkable(parameter.name, options)
        return dict[str, self._checkable(parameter.name, hint)]  # type: ignore[misc]

    def _make_row(self, named: list[inspect.Parameter], checked: dict[str, Value]) -> type[msgspec.Struct] | None:
        """The struct that checks calls with positional arguments only, which are the most common; None if that is not
        enough."""
        positional = [p for p in named if p.kind is not _Kind.KEYWORD_ONLY]
        if any(p.kind is _Kind.KEYWORD_ONLY and p.default is _Kind.empty for p in named):
            return None
        return _struct(self._name, positional, checked, array_like=True)

    def _types_to_pass(self, parameters: list[inspect.Parameter], hints: dict[str, Hint]) -> tuple[type, ...] | None:
        """The types of arguments that a conversion would not change, so that they need no check; None if there are
        others."""
        wanted = tuple(hints.get(parameter.name) for parameter in parameters)
        plain = not self._call_names and all(p.kind is _Kind.POSITIONAL_OR_KEYWORD for p in parameters)
        return wanted if plain and _UNCHANGED.issuperset(wanted) else None  # type: ignore[return-value]

    def bind(self, args: list[Value], kwargs: dict[str, Value], call: Call) -> tuple[Sequence[Value], dict[str, Value]]:
        if not kwargs:
            if tuple(map(type, args)) == self.plain_types:
                return args, kwargs
            if self._row is not None and len(args) <= len(self._positional):
                dims.known = NO_LENGTHS
                with contextlib.suppress(msgspec.ValidationError):  # reported below, with the argument's name
                    row = msgspec.structs.astuple(convert(args, self._row))
                    if dims.known:
                        call.lengths = dims.known
                    return self._with_call(row, call) if self._call_names else (row, {})
        dims.known = NO_LENGTHS
        values, rest, more = self._spread(args, kwargs)
        checked = self._check(values, self._struct)
        fields = {name: getattr(checked, name) for name in self._struct.__struct_fields__}
        fields.update(dict.fromkeys(self._call_names, call))
        positional = list(self._check(rest, self._rest, self._rest_name)) if rest else []
        if rest or self._positional_only:
            positional = [fields.pop(name) for name in self._in_place] + positional
        if more:
            fields.update(self._check(more, self._more, self._more_name))
        if dims.known:
            call.lengths = dims.known
        return positional, fields

    def bind_streams(
        self, args: list[Value], kwargs: dict[str, Value], call: Call
    ) -> tuple[Sequence[Value], dict[str, Value]]:
        """Like `bind`, for a method with parameters that are streams."""
        positional, named = self.bind(args, kwargs, call)
        places = {name: index for index, name in enumerate(self._in_place)}
        in_place = list(positional)
        for name in self.stream_parameters:
            where: Value = named if name in named else in_place
            place = name if name in named else places[name]
            if isinstance(where[place], StreamArgument):
                where[place] = self._open(name, where[place], call)
        return in_place, named

    def _open(self, name: str, argument: StreamArgument, call: Call) -> Inlet:
        if call.streams is None:
            raise InvalidParams(
                f"{self._name}: '{name}' is a stream, and the client did not announce 'stream'", self._name
            )
        hint = self._item_checks[name]

        def check(value: Value, n: int) -> Value:
            try:
                return convert(value, hint)
            except msgspec.ValidationError as error:
                raise self._refuse(f"item {n} of '{name}': {explain(error, self.hints, name)}") from None

        inlet: Inlet = call.streams.streams.inlet(argument.key, None, check)
        inlet.ask()
        return inlet

    def _check(self, values: Value, hint: Hint, name: str | None = None) -> Value:
        try:
            return convert(values, hint)
        except msgspec.ValidationError as error:
            raise self._refuse(explain(error, self.hints, name)) from None

    def _with_call(self, row: tuple[Value, ...], call: Call) -> tuple[Sequence[Value], dict[str, Value]]:
        given = iter(row)
        positional = [call if name in self._call_names else next(given) for name in self._in_place]
        return positional, {name: call for name in self._call_names if name not in self._in_place}

    def _spread(
        self, args: list[Value], kwargs: dict[str, Value]
    ) -> tuple[dict[str, Value], list[Value], dict[str, Value]]:
        """Split the arguments into those of named parameters, further positional ones, and those with other names."""
        rest = args[len(self._positional) :]
        if rest and self._rest is None:
            raise self._refuse(f"takes at most {len(self._positional)} positional arguments, got {len(args)}")
        values = dict(zip(self._positional, args, strict=False))
        more: dict[str, Value] = {}
        for name, value in kwargs.items():
            if name in values:
                raise self._refuse(f"argument '{name}' was given twice")
            if name in self._names:
                values[name] = value
            elif name in self._call_names or self._more is None:
                raise self._refuse(f"unknown argument '{name}'{APART if name in OF_CALLS else ''}")
            else:
                more[name] = value
        return values, rest, more

    def _refuse(self, why: str) -> InvalidParams:
        names = [*self._struct.__struct_fields__, f"*{self._rest_name}", f"**{self._more_name}"]
        allowed = ", ".join(name for name in names if not name.endswith("*None")) or "none"
        return InvalidParams(f"{self._name}: {explained(why)}; its arguments: {allowed}", self._name)


def _open_parameters(function: Callable[..., Value]) -> list[inspect.Parameter]:
    """The parameters that a caller fills: without those that a functools.partial has filled by name."""
    filled: set[str] = set()
    inner: Value = function
    while isinstance(inner, functools.partial):
        filled.update(inner.keywords)
        inner = inner.func
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:  # some functions written in C, and what cannot be called
        raise UsageError(f"{function!r:.100} cannot be a method: {error}") from None
    return [p for p in signature.parameters.values() if p.name not in filled]


def _is_call(hint: Hint) -> bool:
    """Whether a parameter receives the call: its type hint is Call, optional or annotated."""
    return hint is Call or (
        origin_of(hint) in (*UNIONS, typing.Annotated) and any(_is_call(part) for part in typing.get_args(hint))
    )


def _struct(
    name: str, parameters: list[inspect.Parameter], hints: dict[str, Hint], array_like: bool = False
) -> type[msgspec.Struct]:
    """Create a struct with a field per parameter, with which msgspec checks and converts arguments."""
    fields: list[Value] = []
    for parameter in parameters:
        if parameter.name.startswith("__"):
            raise UsageError(f"method {name!r}: parameter {parameter.name!r} begins with two underscores")
        hint = hints[parameter.name]
        if parameter.default is _Kind.empty:
            fields.append((parameter.name, hint))
        else:
            default = functools.partial(_identity, parameter.default)
            fields.append((parameter.name, hint, msgspec.field(default_factory=default)))
    return msgspec.defstruct(name.replace(".", "_"), fields, kw_only=not array_like, array_like=array_like)


def _identity(value: Value) -> Value:
    return value
