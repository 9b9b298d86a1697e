"""The fields of classes, in what clients send and what they receive."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from wslink.rpc.converters import Hint, is_typeddict, origin_of
from wslink.rpc.definitions import Mode
from wslink.rpc.generics import field_hints
from wslink.rpc.hints import bare, required_keys


class Missing:
    """The default of fields without one."""


MISSING = Missing()


class Field(msgspec.Struct, frozen=True):
    """One field.

    Attributes:
        name: the name under which it is sent.
        hint: its type hint.
        required: whether it is always present.
        default: its value if it is absent; MISSING if unknown.
    """

    name: str
    hint: Hint
    required: bool
    default: Any = MISSING


class Fields(msgspec.Struct, frozen=True):
    """The fields of a class.

    Attributes:
        fields: in order.
        keyed: whether it is sent as a map, rather than a list.
        tag: the name and the value of the field that identifies the class in unions; usually None.
    """

    fields: tuple[Field, ...]
    keyed: bool = True
    tag: tuple[str, str | int] | None = None


def fields_of(hint: Hint, mode: Mode) -> Fields | None:
    """The fields of a dataclass, TypedDict, NamedTuple, attrs class or msgspec.Struct; None for any other class."""
    kind = origin_of(hint) or hint
    keyed, tag = True, None
    if dataclasses.is_dataclass(kind):
        found = list(_of_dataclass(kind, mode))
    elif is_typeddict(kind):
        required = required_keys(kind)
        found = [(name, name, name in required, MISSING) for name in kind.__annotations__]
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        defaults = kind._field_defaults
        found = [(n, n, mode == "output" or n not in defaults, defaults.get(n, MISSING)) for n in kind._fields]
        keyed = False
    elif issubclass(kind, msgspec.Struct):
        found = list(_of_struct(kind, mode))
        config = kind.__struct_config__
        keyed, tag = not config.array_like, (config.tag_field, config.tag) if config.tag is not None else None
    elif hasattr(kind, "__attrs_attrs__"):
        found = list(_of_attrs(kind, mode))
    else:
        return None
    hints = field_hints(hint)
    fields = [Field(sent, bare(hints.get(name, Any)), required, default) for name, sent, required, default in found]
    return Fields(tuple(fields), keyed, tag)


Found = tuple[str, str, bool, Any]
"""A field's name, the name under which it is sent, whether it is required, and its default."""


def _of_dataclass(kind: Hint, mode: Mode) -> Iterator[Found]:
    for field in dataclasses.fields(kind):
        if mode == "output":  # class attributes are not sent
            sent = field.init or field.default is dataclasses.MISSING
            yield field.name, field.name, sent, MISSING
        elif field.init:
            given = field.default is not dataclasses.MISSING
            made = field.default_factory is not dataclasses.MISSING
            default = field.default if given else _made(field.default_factory) if made else MISSING
            yield field.name, field.name, not (given or made), default


def _of_struct(kind: type[msgspec.Struct], mode: Mode) -> Iterator[Found]:
    always = mode == "output" and not kind.__struct_config__.omit_defaults
    for field in msgspec.structs.fields(kind):
        given, made = field.default is not msgspec.NODEFAULT, field.default_factory is not msgspec.NODEFAULT
        default = field.default if given else _made(field.default_factory) if made else MISSING
        yield field.name, field.encode_name, always or not (given or made), MISSING if always else default


def _of_attrs(kind: Hint, mode: Mode) -> Iterator[Found]:
    nothing = sys.modules["attr"].NOTHING
    for field in kind.__attrs_attrs__:
        if mode == "output":
            yield field.name, field.name, True, MISSING
        elif field.init:
            given, made = field.default is not nothing, hasattr(field.default, "factory")
            default = _made(field.default.factory) if made else field.default if given else MISSING
            yield field.name, field.name, not given, default


def _made(factory: Any) -> Any:
    """Call the factories of built-in types. Others are not called, as they may have side effects."""
    return factory() if factory in (list, dict, set, frozenset, tuple, str, int, float, bool) else MISSING
