"""Type variables of generic classes, and their values."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping

from wslink.rpc.converters import Hint, is_typeddict, origin_of


def substituted(hint: Hint, variables: Mapping[Hint, Hint]) -> Hint:
    """Replace the type variables in `hint`."""
    if isinstance(hint, typing.TypeVar):
        return variables.get(hint, hint)
    parameters = getattr(hint, "__parameters__", ()) if origin_of(hint) else ()
    return hint[tuple(variables.get(parameter, parameter) for parameter in parameters)] if parameters else hint


def field_hints(hint: Hint) -> dict[str, Hint]:
    """The type hints of a class's annotations, including those of its bases, with type variables replaced as far as
    they are known (`Box[int]`, `class IntBox(Box[int])`). Raises what resolving them raises."""
    kind = origin_of(hint) or hint
    given: dict[Hint, dict[Hint, Hint]] = {}
    _give(kind, typing.get_args(hint), given)
    resolved = typing.get_type_hints(kind, include_extras=True)
    if len(given) == 1 and not given[kind]:
        return resolved
    # A TypedDict repeats the annotations of its bases, so the bases are searched first.
    classes = list(reversed(given)) if is_typeddict(kind) else [one for one in kind.__mro__ if one in given]
    return {name: substituted(one, _variables_of(name, classes, given)) for name, one in resolved.items()}


def _give(kind: Hint, args: Iterable[Hint], given: dict[Hint, dict[Hint, Hint]]) -> None:
    """Determine the values of the type variables of a class and of its bases."""
    if kind in given:
        return
    given[kind] = variables = dict(zip(getattr(kind, "__parameters__", ()), args, strict=False))
    for base in vars(kind).get("__orig_bases__", kind.__bases__):
        origin = origin_of(base) or base
        if isinstance(origin, type) and origin not in (typing.Generic, object):
            _give(origin, [substituted(arg, variables) for arg in typing.get_args(base)], given)


def _variables_of(name: str, classes: Iterable[Hint], given: Mapping[Hint, dict[Hint, Hint]]) -> dict[Hint, Hint]:
    """The type variables of the class that has the annotation `name`."""
    return next((given[one] for one in classes if name in getattr(one, "__annotations__", ())), {})
