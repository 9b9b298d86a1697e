"""Error messages, in the caller's terms, for arguments that cannot be converted."""

from __future__ import annotations

import enum
import re
import typing
from collections.abc import Iterator, Mapping

import msgspec

from wslink.rpc.converters import Hint, origin_of
from wslink.wire.show import shown

_PLACE = re.compile(r" - at `\$([^`]*)`")
"""The location of an error, within the value that the next location names."""
_PLACES = re.compile(f"({_PLACE.pattern})+")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
MAX_ALLOWED = 20
"""Values of an enumeration that an error lists."""


def explain(error: msgspec.ValidationError, hints: Mapping[str, Hint], name: str | None = None) -> str:
    """Say what is wrong, where, and which values are allowed if the type hint lists them.

    Args:
        error: raised by the conversion of arguments.
        hints: the parameters' type hints, by name.
        name: the parameter of the converted argument; None for a dict of arguments by name.
    """
    whole = _PLACES.sub(lambda places: f" - at `${''.join(_PLACE.findall(places[0])[::-1])}`", str(error))
    found = _PLACE.search(whole)
    place = "" if found is None else found[1]
    allowed = ", ".join(_allowed(hints, place, name)) if whole.startswith("Invalid enum value") else ""
    text = (
        whole.replace("Object missing required field", "missing field" if found else "missing argument")
        .replace("$.", "" if name is None else f"{name}.")
        .replace("$[", "[" if name is None else f"{name}[")
        .replace("`$`", "the arguments" if name is None else f"`{name}`")
    )
    return f"{text}; allowed: {allowed}" if allowed else text


def _allowed(hints: Mapping[str, Hint], place: str, name: str | None) -> list[str]:
    """The values that are allowed at `place`, as far as a type hint lists them."""
    steps = [step[1] for step in _STEP.finditer(place)]
    if name is None:
        name, *steps = steps or [""]
    reached = [hints.get(name or "")]
    for step in filter(None, steps):
        reached = [found for hint in reached for one in _parts(hint) if (found := _field(one, step)) is not None]
    values = list(dict.fromkeys(shown(value) for hint in reached for one in _parts(hint) for value in _values(one)))
    return values if len(values) <= MAX_ALLOWED else [*values[:MAX_ALLOWED], "..."]


def _parts(hint: Hint) -> Iterator[Hint]:
    """`hint` and its parts: the members of a union, the items of a list."""
    yield hint
    if origin_of(hint) is not typing.Literal:
        for part in typing.get_args(hint):
            yield from _parts(part)


def _field(hint: Hint, name: str) -> Hint:
    try:
        return typing.get_type_hints(hint, include_extras=True).get(name) if isinstance(hint, type) else None
    except Exception:  # an annotation of the class cannot be resolved: omit its values
        return None


def _values(hint: Hint) -> list[object]:
    if origin_of(hint) is typing.Literal:
        return list(typing.get_args(hint))
    return [one.value for one in hint] if isinstance(hint, type) and issubclass(hint, enum.Enum) else []
