"""The named schemas of a document (`$defs`): one for each class, or two if clients send it in another form than they
receive it."""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

from wslink.rpc.converters import Hint, origin_of

Mode = Literal["input", "output"]
"""What clients send, or receive."""
Schema: TypeAlias = dict[str, Any]

PREFIX = "#/$defs/"
Key = tuple[Hint, Mode]


class Reference(dict[str, Any]):
    """`{"$ref": ...}`. The name of its target is only known when the document is complete."""

    def __init__(self, key: Key) -> None:
        super().__init__({"$ref": ""})
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reference) and self.key == other.key

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None


class Definitions:
    """The definitions of a document."""

    def __init__(self) -> None:
        self._schemas: dict[Key, Schema] = {}
        self._references: list[Reference] = []
        self._foreign: dict[str, Schema] = {}

    def refer(self, hint: Hint, mode: Mode, make: Callable[[], Schema]) -> Schema:
        """Return a reference to the schema of a class, which `make` creates the first time."""
        key = (hint, mode)
        if key not in self._schemas:
            self._schemas[key] = {}
            try:
                self._schemas[key] = _with_doc(origin_of(hint) or hint, make())
            except BaseException:
                del self._schemas[key]
                raise
        reference = Reference(key)
        self._references.append(reference)
        return reference

    def foreign(self, model: Hint, mode: Mode) -> Schema:
        """Return a reference to the schema that a pydantic model provides."""

        def make() -> Schema:
            how, suffix = ("validation", "Input") if mode == "input" else ("serialization", "")
            template = f"{PREFIX}{{model}}{suffix}"
            schema: Schema = model.model_json_schema(mode=how, ref_template=template, schema_generator=_generator())
            for name, inner in schema.pop("$defs", {}).items():
                self._foreign[name + suffix] = plain(_without_titles(inner))
            return plain(_without_titles(schema))

        return self.refer(model, mode, make)

    def finish(self) -> dict[str, Schema]:
        """Return all definitions by name, and complete the references to them."""
        names = self._names()
        for reference in self._references:
            reference["$ref"] = PREFIX + names[reference.key]
        found = {names[key]: schema for key, schema in self._schemas.items() if _alias_of(schema) is None}
        return dict(sorted({**self._foreign, **found}.items()))

    def _names(self) -> dict[Key, str]:
        """Names of the classes: their own, preceded by the module if several share one. "Input" is appended for what
        clients send, if that differs from what they receive."""
        twins = self._twins()
        hints = list(dict.fromkeys(hint for hint, _ in self._schemas))
        plain = [_name_of(hint) for hint in hints]
        chosen: dict[Hint, str] = {}
        for hint, name in zip(hints, plain, strict=True):
            name = name if plain.count(name) == 1 and name not in self._foreign else _qualified(hint)
            chosen[hint] = _free(name, {*chosen.values(), *self._foreign})
        names: dict[Key, str] = {}
        for hint, mode in self._schemas:
            apart = mode == "input" and hint in twins
            names[hint, mode] = f"{chosen[hint]}Input" if apart else chosen[hint]
            names[hint, mode] = _alias_of(self._schemas[hint, mode]) or names[hint, mode]
        return names

    def _twins(self) -> set[Hint]:
        """The classes that are used in both modes and differ, possibly in a class that they refer to."""
        both = [hint for hint, mode in self._schemas if mode == "input" and (hint, "output") in self._schemas]
        twins: set[Hint] = set()
        while True:
            more = {hint for hint in both if hint not in twins and self._differs(hint, twins)}
            if not more:
                return twins
            twins |= more

    def _differs(self, hint: Hint, twins: set[Hint]) -> bool:
        sent, received = self._schemas[hint, "input"], self._schemas[hint, "output"]
        return _neutral(sent) != _neutral(received) or any(one.key[0] in twins for one in _references(sent))


def _alias_of(schema: Schema) -> str | None:
    """The name of the schema that a schema only refers to, as for recursive pydantic models."""
    plain = set(schema) == {"$ref"} and not isinstance(schema, Reference)
    return str(schema["$ref"]).removeprefix(PREFIX) if plain else None


def _generator() -> Hint:
    """The generator for schemas of pydantic models. Fields with a default are required in what clients receive."""
    base: Hint = sys.modules["pydantic"].json_schema.GenerateJsonSchema

    class Generator(base):  # type: ignore[misc]
        def field_is_required(self, field: Hint, total: bool) -> bool:
            sent = self.mode == "serialization" and field["type"] in ("model-field", "dataclass-field")
            return sent or bool(super().field_is_required(field, total))

    return Generator


def _neutral(node: Any) -> Any:
    """A schema in which references are replaced by their classes."""
    if isinstance(node, Reference):
        return {"$ref": node.key[0]}
    if isinstance(node, dict):
        return {key: _neutral(value) for key, value in node.items()}
    return [_neutral(one) for one in node] if isinstance(node, list) else node


def _references(node: Any) -> Iterator[Reference]:
    if isinstance(node, Reference):
        yield node
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(inner)


def _name_of(hint: Hint) -> str:
    """A class's name, with the type arguments of a generic class."""
    kind = origin_of(hint) or hint
    parts = [kind.__name__, *(getattr(arg, "__name__", str(arg)) for arg in typing.get_args(hint))]
    return "".join(_camel(part) for part in parts)


def _qualified(hint: Hint) -> str:
    kind = origin_of(hint) or hint
    where = kind.__qualname__.replace("<locals>", "").split(".")[:-1]
    return "".join(map(_camel, (*kind.__module__.split("."), *where))) + _name_of(hint)


def _camel(text: str) -> str:
    words = [word for word in re.split(r"\W+", text) if word]
    return "".join(word[0].upper() + word[1:] for word in words)


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else next(f"{name}{n}" for n in range(2, 10**6) if f"{name}{n}" not in taken)


def _with_doc(kind: Hint, schema: Schema) -> Schema:
    """Add the class's docstring to `schema`."""
    doc = vars(kind).get("__doc__")
    if not isinstance(doc, str) or doc.startswith(f"{kind.__name__}(") or "description" in schema:
        return schema
    return schema if doc == "An enumeration." else {"description": inspect.cleandoc(doc), **schema}


def plain(schema: Schema) -> Schema:
    """A deep copy of plain dicts and lists, in which references are ordinary dicts."""
    copy: Schema = json.loads(json.dumps(schema))
    return copy


def _without_titles(node: Any) -> Any:
    """Remove titles that only repeat names."""
    if isinstance(node, dict):
        named = isinstance(node.get("title"), str)
        return {key: _without_titles(value) for key, value in node.items() if not (named and key == "title")}
    return [_without_titles(one) for one in node] if isinstance(node, list) else node
