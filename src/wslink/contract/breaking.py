"""Changes of a contract that break clients which were written against it: at compile time, or when they run.

What clients send under the old contract has to be taken under the new one, and what they are sent under the new one has
to be what the old one said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from wslink.contract.usage import PREFIX, Mode, Schema

WORDS = {"methods": "method", "topics": "topic", "handlers": "page method"}
BOUNDS = (("minimum", 1), ("exclusiveMinimum", 1), ("minLength", 1), ("minItems", 1),
          ("maximum", -1), ("exclusiveMaximum", -1), ("maxLength", -1), ("maxItems", -1))  # fmt: skip
"""Keywords, and in which direction they narrow."""


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What is different in `new` so that clients of `old` break; a sentence each, in the order of names."""
    return list(dict.fromkeys(Comparison(old, new).changes()))


class Comparison:
    """Two descriptions, side by side."""

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._under_way: set[tuple[str, str, Mode]] = set()

    def changes(self) -> Iterator[str]:
        for kind, word in WORDS.items():
            before, now = self._old.get(kind, {}), self._new.get(kind, {})
            for name in sorted(before.keys() - now.keys()):
                if kind != "handlers":  # nobody calls it any more
                    yield f"{word} {name} is gone"
            for name in sorted(before.keys() & now.keys()):
                where = f"{word} {name}"
                if kind == "topics":
                    yield from self._topic(where, before[name], now[name])
                else:
                    yield from self._method(where, before[name], now[name], kind == "handlers")
        for name in sorted(self._new.get("handlers", {}).keys() - self._old.get("handlers", {}).keys()):
            yield f"page method {name} is new: pages do not have it"

    def _method(self, where: str, old: Schema, new: Schema, page: bool) -> Iterator[str]:
        given: Mode = "output" if page else "input"
        back: Mode = "input" if page else "output"
        yield from self._arguments(where, old.get("params", {}), new.get("params", {}), given)
        for word in ("positionalOnly", "rest", "more"):
            if word in old and old.get(word) != new.get(word):
                yield f"{where}: {word} was {old[word]}, is {new.get(word, 'gone')}"
        if ("stream" in old) != ("stream" in new):
            yield f"{where} {'streams its result now' if 'stream' in new else 'does not stream its result any more'}"
            return
        word = "stream" if "stream" in old else "result"
        what = f"{where}: {'items' if word == 'stream' else 'result'}"
        yield from self._value(what, old.get(word, {}), new.get(word, {}), back)
        errors = {error["name"]: error for error in new.get("errors", ())}
        for error in old.get("errors", ()):
            yield from self._error(where, error, errors.get(error["name"]))

    def _error(self, where: str, old: Schema, new: Schema | None) -> Iterator[str]:
        if new is None:
            yield f"{where}: error {old['name']} is not declared any more"
            return
        if old["code"] != new["code"]:
            yield f"{where}: error {old['name']} had code {old['code']}, has {new['code']}"
        yield from self._value(f"{where}: data of {old['name']}", old.get("data", {}), new.get("data", {}), "output")

    def _topic(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        yield from self._value(f"{where}: payload", old.get("payload", {}), new.get("payload", {}), "output")
        if (old["delivery"], new["delivery"]) == ("reliable", "latest"):
            yield f"{where}: delivery is latest, so that publications may be left out"
        if old.get("retained") and not new.get("retained"):
            yield f"{where} sends new subscribers no retained values any more"
        before, now = self._resolved(old.get("tags", {}), self._old), self._resolved(new.get("tags", {}), self._new)
        tags = now.get("properties", {})
        for name, schema in before.get("properties", {}).items():
            if name not in tags:
                yield f"{where}: tag {name} is gone"
            else:
                yield from self._value(f"{where}: tag {name}", schema, tags[name], "input")

    def _arguments(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        if not new or not old:
            return
        for name in before:
            if name not in now and mode == "input" and new.get("additionalProperties") is False:
                yield f"{where}: argument {name} is gone"
            elif name in now:
                yield from self._value(f"{where}: argument {name}", before[name], now[name], mode)
        for name in new.get("required", ()):
            if mode == "input" and name not in old.get("required", ()):
                yield f"{where}: argument {name} is {'required' if name in before else 'new and required'}"
        for name in old.get("required", ()):
            if mode == "output" and name not in new.get("required", ()):
                yield f"{where}: argument {name} is not always given any more"

    # Values --------------------------------------------------------------------

    def _value(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        """What breaks between two schemas of one value."""
        pair = str(old.get("$ref")), str(new.get("$ref")), mode
        if "$ref" in old and "$ref" in new:
            if pair in self._under_way:
                return
            self._under_way.add(pair)
        old, new = self._resolved(old, self._old), self._resolved(new, self._new)
        try:
            if not _is_anything(old) or not _is_anything(new):
                yield from self._different(where, old, new, mode)
        finally:
            self._under_way.discard(pair)

    def _different(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        sent, taken = (old, new) if mode == "input" else (new, old)
        if _is_anything(taken):
            return
        members, others = self._members(sent, mode, True), self._members(taken, mode, False)
        if len(members) > 1 or len(others) > 1:
            for member in members:
                if not any(self._fits(member, other, mode) for other in others):
                    yield f"{where}: {said(member)} is {'not taken any more' if mode == 'input' else 'new'}"
            return
        other_kind = _kind(old) != _kind(new) and (_kind(sent), _kind(taken)) != ("integer", "number")
        if other_kind or ("const" in taken and sent.get("const") != taken["const"]):
            yield f"{where}: was {said(old)}, is {said(new)}"
        else:
            yield from self._bounds(where, old, new, mode)
            yield from self._inside(where, old, new, mode)

    def _fits(self, sent: Schema, taken: Schema, mode: Mode) -> bool:
        old, new = (sent, taken) if mode == "input" else (taken, sent)
        return next(self._value("", old, new, mode), None) is None

    def _members(self, schema: Schema, mode: Mode, sent: bool) -> list[Schema]:
        """The members of a union; values of an enumeration are members, too."""
        found: list[Schema] = []
        document = self._old if (mode == "input") == sent else self._new
        for one in schema.get("anyOf") or schema.get("oneOf") or [schema]:
            plain = self._resolved(one, document)
            if "anyOf" in plain or "oneOf" in plain:
                found += self._members(plain, mode, sent)
            else:
                found += [{"const": value} for value in plain["enum"]] if "enum" in plain else [one]
        return found

    def _bounds(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        sent, taken = (old, new) if mode == "input" else (new, old)
        for word, direction in BOUNDS:
            if word in taken and (word not in sent or (taken[word] - sent[word]) * direction > 0):
                yield f"{where}: {word} was {old.get(word, 'not bounded')}, is {new.get(word, 'not bounded')}"

    def _inside(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        """What breaks inside of arrays, tuples and maps."""
        if old.get("x-wslink") == "ndarray":
            yield from _arrays(where, old, new, mode)
        elif "prefixItems" in old or "prefixItems" in new:
            before, now = old.get("prefixItems", []), new.get("prefixItems", [])
            if len(before) != len(now):
                yield f"{where}: had {len(before)} items, has {len(now)}"
            for index, (first, second) in enumerate(zip(before, now, strict=False)):
                yield from self._value(f"{where}: item {index}", first, second, mode)
        elif _kind(old) == "array" or old.get("x-wslink") == "stream":
            yield from self._value(f"{where}: items", old.get("items") or {}, new.get("items") or {}, mode)
        elif _kind(old) == "object":
            yield from self._fields(where, old, new, mode)

    def _fields(self, where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
        before, now = old.get("properties", {}), new.get("properties", {})
        if old.get("x-keys") != new.get("x-keys"):
            yield f"{where}: its keys are others"
        for name in before:
            if name not in now:
                yield f"{where}: field {name} is gone"
            else:
                yield from self._value(f"{where}: field {name}", before[name], now[name], mode)
        required = set(new.get("required", ())) - set(old.get("required", ()))
        optional = set(old.get("required", ())) - set(new.get("required", ()))
        for name in sorted(required if mode == "input" else optional & now.keys()):
            yield f"{where}: field {name} is {'required' if mode == 'input' else 'not always there any more'}"
        each, other = old.get("additionalProperties"), new.get("additionalProperties")
        if isinstance(each, dict) and isinstance(other, dict):
            yield from self._value(f"{where}: values", each, other, mode)

    def _resolved(self, schema: Schema, document: Schema) -> Schema:
        seen = 0
        while "$ref" in schema and seen < 100:
            found = document.get("$defs", {}).get(schema["$ref"].removeprefix(PREFIX), {})
            schema, seen = found, seen + 1
        return schema


def _arrays(where: str, old: Schema, new: Schema, mode: Mode) -> Iterator[str]:
    sent, taken = (old, new) if mode == "input" else (new, old)
    if taken.get("dtype") and not set(sent.get("dtype") or ["any"]) <= set(taken["dtype"]):
        yield f"{where}: dtype was {_dtypes(old)}, is {_dtypes(new)}"
    first, second = sent.get("shape"), taken.get("shape")
    if second is None:
        return
    fits = first is not None and len(first) == len(second)
    if not fits or any(type(b) is int and a != b for a, b in zip(first or (), second, strict=False)):
        yield f"{where}: shape was {old.get('shape', 'any')}, is {new.get('shape', 'any')}"


def _dtypes(schema: Schema) -> str:
    return " or ".join(schema.get("dtype") or ["any"])


_NOTES = frozenset(("$comment", "description", "title", "default", "examples"))


def _is_anything(schema: Schema) -> bool:
    return not schema.keys() - _NOTES


def _kind(schema: Schema) -> str:
    """The type of a value, as far as clients tell types apart."""
    if "x-wslink" in schema:
        return str(schema["x-wslink"])
    if "const" in schema:
        value: Any = schema["const"]
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
        return kinds.get(type(value), "object")
    kind = str(schema.get("type", "anything"))
    return "a date" if kind == "string" and schema.get("format") == "date-time" else kind


def said(schema: Schema) -> str:
    """A schema in a word."""
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(PREFIX)
    return _kind(schema) if not _is_anything(schema) else "anything"
