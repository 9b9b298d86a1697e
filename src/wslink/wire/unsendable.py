"""Values that cannot be sent: what to do about them, and where in a message they are."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from wslink.errors import RAISED, NotSerializable
from wslink.wire.value import Value

MAX_LOOKED_AT = 100_000
"""Values of a message that are looked at for the one that cannot be sent."""
MAX_PLACE = 1024
"""Characters of a place behind which no other is looked for."""


class Unsendable(NotSerializable):
    """A value that cannot be sent.

    Args:
        subject: what it is, such as "a value of type Viewer".
        advice: what to do about it, beginning with its punctuation; "" if there is nothing to say.
        value: the value itself.
    """

    def __init__(self, subject: str, advice: str, value: Value) -> None:
        super().__init__(f"{subject} cannot be sent{advice}")
        self.subject = subject
        self.advice = advice
        self.value = value


def of_type(value: Value) -> Unsendable:
    """The error for a value of a type that has no form in messages."""
    return Unsendable(f"a value of type {type(value).__name__}", _advice(value), value)


def placed(error: Unsendable, root: Value) -> NotSerializable:
    """`error` with its value's place in `root`, as in `a value of type Viewer at scene.views[0]`, where it is found."""
    place = _place(error.value, root)
    return NotSerializable(f"{error.subject}{f' at {place}' if place else ''} cannot be sent{error.advice}")


def _advice(value: Value) -> str:
    if inspect.isawaitable(value):
        return "; await it first"
    if isinstance(value, Iterator):
        return "; make a list of it"
    if inspect.isroutine(value) or isinstance(value, type):
        return ""
    return "; make it a dataclass, or send a dict, a list, a number or text in its place"


def _place(value: Value, root: Value) -> str:
    try:
        looked_at = itertools.islice(_walk(root), MAX_LOOKED_AT)
        return next((place for place, one in looked_at if one is value), "")
    except RAISED:  # by a key, or by a mapping of the application's
        return ""


def _walk(root: Value) -> Iterator[tuple[str, Value]]:
    """The values in `root`, the outer ones first, each with its place."""
    waiting = deque([("", root)])
    while waiting:
        path, one = waiting.popleft()
        for step, inner in _members(one):
            place = f"{path}{step}"
            yield place.removeprefix("."), inner
            if len(place) < MAX_PLACE:
                waiting.append((place, inner))


def _members(value: Value) -> Iterable[tuple[str, Value]]:
    """What a value holds, and the step of a path that leads there."""
    if isinstance(value, Mapping):
        return ((f".{key}" if str(key).isidentifier() else f"[{key!r:.40}]", one) for key, one in value.items())
    if isinstance(value, (list, tuple)):
        return ((f"[{index}]", one) for index, one in enumerate(value))
    if isinstance(value, msgspec.Struct):
        return ((f".{name}", getattr(value, name, None)) for name in value.__struct_fields__)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return ((f".{field.name}", getattr(value, field.name, None)) for field in dataclasses.fields(value))
    return ()
