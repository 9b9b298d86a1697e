"""64-bit integers in values, which are bigints in TypeScript: expressions of the generated module that find them."""

from __future__ import annotations

import json

from wslink.contract.printer import LINE, SOFT, Broken, Doc, Group, Indent, joined, layout
from wslink.contract.ts_types import key
from wslink.contract.usage import PREFIX, Schema, referred

INHERITED = frozenset((
    "__proto__", "constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString",
    "valueOf",
))  # fmt: skip
"""Properties that every object of JavaScript has."""


class Wide:
    """Expressions by which the module widens values.

    Args:
        definitions: those of the description.

    Attributes:
        found: whether there is anything to widen.
    """

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._holders = {name for name in definitions if self._holds(name)}
        self._named: dict[str, str] = {}
        self.found: bool = False

    def _holds(self, name: str) -> bool:
        """Whether a definition, or one that it refers to, has such an integer."""
        seen, waiting = set(), [name]
        while waiting:
            one = waiting.pop()
            if one not in seen and one in self._definitions:
                seen.add(one)
                waiting += referred(self._definitions[one])
        return any(_has_one(self._definitions[one]) for one in seen)

    def of(self, schema: Schema) -> Doc | None:
        """The expression for a schema; None where there is nothing to widen."""
        doc = self._of(schema)
        self.found = self.found or doc is not None
        return doc

    def _of(self, schema: Schema) -> Doc | None:
        if "$ref" in schema:
            return self._name(schema["$ref"].removeprefix(PREFIX))
        if schema.get("x-wslink") == "integer64":
            return '"this"'
        if "anyOf" in schema:
            members = [doc for one in schema["anyOf"] if (doc := self._of(one)) is not None]
            return ("() => ", _list(members)) if len(members) > 1 else members[0] if members else None
        items = {str(index): one for index, one in enumerate(schema.get("prefixItems", ()))}
        inner = {k: doc for k, one in (items or schema.get("properties", {})).items() if (doc := self._of(one))}
        if not items and not INHERITED.isdisjoint(
            inner
        ):  # in an object that is written out they would be what it inherits
            pairs: list[Doc] = [("[", json.dumps(name), ", ", doc, "]") for name, doc in inner.items()]
            return ("Object.fromEntries<Wide>(", _list(pairs), ")")
        if inner:
            entries = [(name if items else key(name), ": ", doc) for name, doc in inner.items()]
            return Group(("{", Indent((LINE, joined((",", LINE), entries))), Broken(","), LINE, "}"))
        each = schema.get("items") or schema.get("additionalProperties")
        doc = self._of(each) if isinstance(each, dict) else None
        return _list([doc]) if doc is not None else None

    def _name(self, definition: str) -> Doc | None:
        if definition not in self._holders:
            return None
        return self._named.setdefault(definition, f"wide{len(self._named) + 1}")

    def functions(self) -> str:
        """The functions that the expressions name."""
        made: dict[str, str] = {}
        while more := [name for name in self._named if name not in made]:
            for definition in more:
                inner = self._of(self._definitions[definition])
                body = layout(Indent(("return ", _list([inner] if inner is not None else []), ";")), 2)
                made[definition] = f"function {self._named[definition]}(): readonly Wide[] {{\n  {body}\n}}\n"
        return "\n".join(made.values())


def _has_one(schema: object) -> bool:
    if isinstance(schema, dict):
        return schema.get("x-wslink") == "integer64" or any(map(_has_one, schema.values()))
    return isinstance(schema, list) and any(map(_has_one, schema))


def _list(items: list[Doc]) -> Doc:
    return Group(("[", Indent((SOFT, joined((",", LINE), items))), Broken(","), SOFT, "]"))
