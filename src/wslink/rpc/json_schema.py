"""Conversion of type hints to JSON Schema 2020-12 (docs/contract.md has the table).

Types that JSON does not have are described by the keyword `x-wslink`: "bytes", "ndarray" (with `dtype` and `shape`),
"integer64".
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import functools
import json
import math
import typing
import uuid
from collections import abc
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from wslink.rpc.arrays import Array, is_numpy, scalar_types, shape_of
from wslink.rpc.converters import UNIONS, Hint, name_of, origin_of, without_names
from wslink.rpc.definitions import Definitions, Mode, Schema
from wslink.rpc.fields import MISSING, Fields, fields_of
from wslink.wire.arrays import ITEM_SIZES, RawArray

SAFE = 2**53
"""JavaScript's numbers are exact up to this number. An `int` whose bounds are beyond it is a bigint there."""
X = "x-wslink"

_BINARY = (bytes, bytearray, memoryview)

Inner: TypeAlias = Callable[[Hint], Schema]

PLAIN: dict[Hint, Schema] = {
    Any: {},
    object: {},
    type(None): {"type": "null"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: {X: "bytes"},
    bytearray: {X: "bytes"},
    memoryview: {X: "bytes"},
    datetime.datetime: {"type": "string", "format": "date-time"},
    datetime.date: {"type": "string", "format": "date"},
    datetime.time: {"type": "string", "format": "time"},
    datetime.timedelta: {"type": "string", "format": "duration"},
    uuid.UUID: {"type": "string", "format": "uuid"},
    decimal.Decimal: {"type": "string", "format": "decimal"},
    RawArray: {X: "ndarray"},
    list: {"type": "array"},
    tuple: {"type": "array"},
    set: {"type": "array", "uniqueItems": True},
    frozenset: {"type": "array", "uniqueItems": True},
    dict: {"type": "object"},
    typing.NoReturn: {"not": {}},
}
_SETS = (set, frozenset, abc.Set, abc.MutableSet)
_LISTS = (list, abc.Iterable, abc.Iterator, abc.Reversible, abc.Container, abc.Collection, abc.Sequence,
          abc.MutableSequence, collections.deque)  # fmt: skip
_MAPS = (dict, abc.Mapping, abc.MutableMapping, collections.OrderedDict, collections.defaultdict)
_BOUNDS = {
    "gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum", "multiple_of": "multipleOf",
    "pattern": "pattern", "title": "title", "description": "description", "examples": "examples",
}  # fmt: skip


class Undescribable(TypeError):
    """A type hint whose meaning no schema can express. The message names it, and says what to do."""


class Schemas:
    """The schemas of one document, which share its definitions."""

    def __init__(self) -> None:
        self.definitions: Definitions = Definitions()

    def of(self, hint: Hint, mode: Mode) -> Schema:
        """Return the schema of what a client sends ("input") or receives ("output") for `hint`.

        Raises:
            Undescribable: the message names the part that cannot be described.
        """
        hint = without_names(hint)
        inner = functools.partial(self.of, mode=mode)
        origin, args = origin_of(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return _annotated(hint, args[0], inner)
        if origin in UNIONS:
            return _union([inner(member) for member in args])
        if origin is typing.Literal:
            return _enumeration([one.value if isinstance(one, enum.Enum) else one for one in args])
        if _is_hashable(hint) and hint in PLAIN:
            return dict(PLAIN[hint])
        if is_numpy(origin or hint):
            return _numpy(hint, args)
        return _collection(origin or hint, args, inner) or self._class(hint, origin or hint, mode, inner)

    def _class(self, hint: Hint, kind: Hint, mode: Mode, inner: Inner) -> Schema:
        """Return a reference to the definition of a class."""
        if not isinstance(kind, type):
            raise Undescribable(f"{name_of(hint)} has no form that can be sent")
        if hasattr(kind, "model_json_schema"):
            return self.definitions.foreign(kind, mode)
        fields = fields_of(hint, mode)
        if fields is None and not issubclass(kind, enum.Enum):
            raise Undescribable(
                f"{name_of(hint)} has no form that can be sent: make it a dataclass, or name what is sent in its place"
            )

        def make() -> Schema:
            if fields is None:
                return _enumeration([member.value for member in typing.cast(Hint, kind)])
            return _object(fields, inner) if fields.keyed else _row(fields, inner)

        return self.definitions.refer(hint, mode, make)


def _is_hashable(hint: Hint) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


def _annotated(hint: Hint, base: Hint, inner: Inner) -> Schema:
    schema: Schema = {}
    for note in hint.__metadata__:
        if isinstance(note, Array):
            schema = _array([note.dtype] if note.dtype else [], list(note.shape) or None)
    schema = schema or inner(base)
    for note in hint.__metadata__:
        if isinstance(note, msgspec.Meta):
            schema.update(_meta(note, schema.get("type")))
    return schema


def _meta(meta: msgspec.Meta, kind: object) -> Schema:
    said = {word: value for name, word in _BOUNDS.items() if (value := getattr(meta, name)) is not None}
    said = {word: value for word, value in said.items() if not isinstance(value, float) or math.isfinite(value)}
    sizes = {"string": ("minLength", "maxLength"), "object": ("minProperties", "maxProperties")}
    least, most = sizes.get(str(kind), ("minItems", "maxItems"))
    if meta.min_length is not None:
        said[least] = meta.min_length
    if meta.max_length is not None:
        said[most] = meta.max_length
    bounds = [said.get(word) for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")]
    if kind == "integer" and any(bound is not None and abs(bound) > SAFE for bound in bounds):
        said[X] = "integer64"
    return {**said, **(meta.extra_json_schema or {})}


def _union(members: list[Schema]) -> Schema:
    different = [one for index, one in enumerate(members) if one not in members[:index]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def _enumeration(values: list[Any]) -> Schema:
    if any(type(value) not in (str, int, float, bool, type(None)) for value in values):
        raise Undescribable(f"an Enum or Literal of {values!r:.100}: its values are text, numbers, booleans or None")
    if any(isinstance(value, float) and not math.isfinite(value) for value in values):
        raise Undescribable(f"an Enum or Literal of {values!r:.100}: its numbers are finite")
    return {"enum": values}


def _array(dtypes: list[str], shape: list[int | str | None] | None) -> Schema:
    schema: Schema = {X: "ndarray"}
    if dtypes:
        schema["dtype"] = dtypes
    return schema if shape is None else {**schema, "shape": shape}


def _numpy(hint: Hint, args: tuple[Hint, ...]) -> Schema:
    import numpy

    if isinstance(hint, type) and issubclass(hint, numpy.generic):
        return _scalar(hint)
    scalars, shape = scalar_types(args), shape_of(args)
    dtypes = [code for code in ITEM_SIZES if issubclass(numpy.dtype(code).type, scalars)] if scalars else []
    return _array(dtypes, None if shape is None else list(shape))


def _scalar(kind: Hint) -> Schema:
    import numpy

    code: Hint = numpy.dtype(kind) if kind in numpy.sctypeDict.values() else numpy.dtype("O")
    if code.kind in "iu":
        low, high = int(numpy.iinfo(code).min), int(numpy.iinfo(code).max)
        wide: Schema = {X: "integer64"} if code.itemsize == 8 else {}
        return {"type": "integer", "minimum": low, "maximum": high, **wide}
    if code.kind not in "fb":
        raise Undescribable(f"{kind.__name__} has no plain form: use a number, text or an array")
    return {"type": "number" if code.kind == "f" else "boolean"}


def _collection(kind: Hint, args: tuple[Hint, ...], inner: Inner) -> Schema | None:
    """The schema of a collection; None for any other type."""
    if kind is tuple:
        return _tuple(args, inner)
    if kind in _SETS:
        return {"type": "array", "items": inner(args[0] if args else Any), "uniqueItems": True}
    if kind in _LISTS:
        return {"type": "array", "items": inner(args[0] if args else Any)}
    if kind is collections.Counter:
        return _map((args[0] if args else Any, int), inner)
    return _map(args or (Any, Any), inner) if kind in _MAPS else None


def _tuple(args: tuple[Hint, ...], inner: Inner) -> Schema:
    if len(args) == 2 and args[1] is Ellipsis:
        return {"type": "array", "items": inner(args[0])}
    items = [inner(one) for one in args if one != ()]
    return {"type": "array", **({"prefixItems": items} if items else {}), "items": False, "minItems": len(items)}


def _map(args: tuple[Hint, ...], inner: Inner) -> Schema:
    keys, values = inner(args[0]), inner(args[1])
    schema: Schema = {"type": "object", "additionalProperties": values}
    if keys in ({}, {"type": "string"}):
        return schema
    if set(keys) == {"type"}:  # numbers, which JavaScript converts to strings
        return {**schema, "x-keys": keys["type"]}
    return {**schema, "propertyNames": keys}


def _object(fields: Fields, inner: Inner) -> Schema:
    properties: Schema = {}
    if fields.tag is not None:
        properties[fields.tag[0]] = {"const": fields.tag[1]}
    for field in fields.fields:
        properties[field.name] = with_default(inner(field.hint), field.default)
    required = [fields.tag[0]] if fields.tag is not None else []
    required += [field.name for field in fields.fields if field.required]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _row(fields: Fields, inner: Inner) -> Schema:
    """A class that is sent as a list of its fields."""
    items = [inner(field.hint) for field in fields.fields]
    names = [field.name for field in fields.fields]
    if fields.tag is not None:
        items.insert(0, {"const": fields.tag[1]})
        names.insert(0, fields.tag[0])
    least = len(items) - sum(not field.required for field in fields.fields)
    return {"type": "array", "prefixItems": items, "items": False, "minItems": least, "x-names": names}


def with_default(schema: Schema, default: Any) -> Schema:
    """Add a default value to `schema`, if JSON can represent it."""
    if default is MISSING:
        return schema
    try:
        builtins = msgspec.to_builtins(default, builtin_types=_BINARY, order="deterministic")
        if _is_json(builtins):
            schema["default"] = json.loads(json.dumps(builtins))  # in place, as it may be a reference
    except (TypeError, ValueError, RecursionError):
        pass
    return schema


def _is_json(value: Any) -> bool:
    """Whether JSON can represent a default: it contains neither bytes nor non-finite numbers."""
    if isinstance(value, dict):
        return all(map(_is_json, value)) and all(map(_is_json, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(_is_json, value))
    return not isinstance(value, _BINARY) and (not isinstance(value, float) or math.isfinite(value))
