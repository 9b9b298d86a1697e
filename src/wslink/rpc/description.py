"""The description of a method's arguments and results (docs/contract.md)."""

from __future__ import annotations

import asyncio
import inspect
import typing
from collections import abc
from collections.abc import Iterator
from typing import Any

from wslink.errors import MethodError
from wslink.rpc.converters import Hint, options_of, origin_of, without_names
from wslink.rpc.definitions import Mode, Schema
from wslink.rpc.fields import MISSING, fields_of
from wslink.rpc.json_schema import Schemas, Undescribable, X, with_default
from wslink.rpc.schema import Signature

_Kind = inspect.Parameter
_AWAITED = (abc.Awaitable, abc.Coroutine, asyncio.Future, asyncio.Task)
UNKNOWN: Schema = {"$comment": "not described"}
"""The schema of a value about which nothing is known."""


def result_hint(signature: Signature) -> Hint:
    """The type hint of a method's result; Any if there is none."""
    hint = without_names(signature.hints.get("return", Any))
    return (typing.get_args(hint) or (Any,))[-1] if (origin_of(hint) or hint) in _AWAITED else hint


def problems(signature: Signature) -> Iterator[str]:
    """Yield a sentence for each part of a method that cannot be described."""
    for parameter in signature.parameters:
        hint = signature.stream_parameters.get(parameter.name, signature.hints.get(parameter.name, Any))
        options = options_of(hint)
        fields = fields_of(options, "input") if options is not None else None
        for field in fields.fields if fields is not None else ():
            yield from _problem(f"parameter {field.name!r}", field.hint, "input")
        if parameter.default is _Kind.empty and options is None:
            yield from _problem(f"parameter {parameter.name!r}", hint, "input")
    if "return" in signature.lost:
        yield "the hint of its result cannot be resolved; import what it names at run time, too"
    else:
        hint = signature.item if signature.streams else result_hint(signature)
        yield from _problem("its result", hint, "output")


def _problem(what: str, hint: Hint, mode: Mode) -> Iterator[str]:
    try:
        Schemas().of(hint, mode)
    except Undescribable as error:
        yield f"{what}: {error}"


def describe_call(signature: Signature, schemas: Schemas, page: bool = False) -> dict[str, Any]:
    """Describe the parameters and the result of a method. `page` means that the server calls it in a page."""
    given: Mode = "output" if page else "input"
    back: Mode = "input" if page else "output"
    described: dict[str, Any] = {"params": _params(signature, schemas, given), **_places(signature)}
    lost = "return" in signature.lost
    if signature.streams:
        described["stream"] = _schema(schemas, signature.item, back, lost)
    else:
        described["result"] = _schema(schemas, result_hint(signature), back, lost)
    return described


def describe_errors(errors: tuple[type[MethodError], ...], schemas: Schemas) -> list[dict[str, Any]]:
    """Describe the errors that a method declares, by code."""
    return [_error(one, schemas) for one in sorted(errors, key=lambda one: one.code)]


def _error(kind: type[MethodError], schemas: Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {"name": kind.__name__, "code": kind.code}
    if doc := vars(kind).get("__doc__"):
        described["description"] = inspect.cleandoc(doc)
    hint = error_data(kind)
    return {**described, **({} if hint is MISSING else {"data": _schema(schemas, hint, "output")})}


def error_data(kind: type[MethodError]) -> Hint:
    """The type hint of an error's data; MISSING if its class declares none."""
    own = kind.__mro__[: kind.__mro__.index(MethodError)]
    said = any("data" in inspect.get_annotations(one) for one in own)
    return typing.get_type_hints(kind, include_extras=True)["data"] if said else MISSING


def _schema(schemas: Schemas, hint: Hint, mode: Mode, lost: bool = False) -> Schema:
    try:
        return dict(UNKNOWN) if lost else schemas.of(hint, mode)
    except Undescribable as error:
        return {"$comment": str(error)}


def _params(signature: Signature, schemas: Schemas, mode: Mode) -> Schema:
    """The schema of all arguments by name. Those of `*values` have the name `values`."""
    properties: Schema = {}
    required: list[str] = []
    more: Schema | bool = False
    for parameter in signature.parameters:
        hint = signature.hints.get(parameter.name, Any)
        if parameter.kind is _Kind.VAR_KEYWORD:
            more = _more(hint, schemas, mode, properties, required)
            continue
        try:
            schema = _argument(signature, parameter.name, hint, schemas, mode)
        except Undescribable as error:
            if parameter.default is not _Kind.empty:
                continue  # clients can omit it
            schema = {"$comment": str(error)}
        if parameter.kind is _Kind.VAR_POSITIONAL:
            schema = {"type": "array", "items": schema}
        elif parameter.default is _Kind.empty:
            required.append(parameter.name)
        default = MISSING if parameter.default is _Kind.empty else parameter.default
        properties[parameter.name] = with_default(schema, default)
    described: Schema = {"type": "object", "properties": properties, "additionalProperties": more}
    return {**described, "required": required} if required else described


def _argument(signature: Signature, name: str, hint: Hint, schemas: Schemas, mode: Mode) -> Schema:
    """The schema of an argument. Raises Undescribable."""
    if name in signature.stream_parameters:
        return {X: "stream", "items": schemas.of(signature.stream_parameters[name], mode)}
    return schemas.of(hint, mode)


def _more(hint: Hint, schemas: Schemas, mode: Mode, properties: Schema, required: list[str]) -> Schema | bool:
    """What else may be passed by name, in addition to the options of `**options: Unpack[Options]`."""
    options = options_of(hint)
    if options is None:
        return _schema(schemas, hint, mode)
    fields = fields_of(options, "input")
    for field in fields.fields if fields is not None else ():
        properties[field.name] = _schema(schemas, field.hint, mode)
        if field.required:
            required.append(field.name)
    return False


def _places(signature: Signature) -> dict[str, Any]:
    """Which arguments may be positional, and which have to be."""
    parameters = signature.parameters
    order = [p.name for p in parameters if p.kind in (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)]
    only = sum(p.kind is _Kind.POSITIONAL_ONLY for p in parameters)
    rest = next((p.name for p in parameters if p.kind is _Kind.VAR_POSITIONAL), None)
    places: dict[str, Any] = {"positional": order} if order else {}
    if only:
        places["positionalOnly"] = only
    if rest is not None:
        places["rest"] = rest
    more = next((p for p in parameters if p.kind is _Kind.VAR_KEYWORD), None)
    named = more is not None and options_of(signature.hints.get(more.name, Any)) is None
    return {**places, **({"more": more.name} if more is not None and named else {})}
