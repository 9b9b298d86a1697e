"""Schemas of a description as types of TypeScript."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from wslink.contract.docstrings import comment, parse
from wslink.contract.printer import LINE, SOFT, Broken, Doc, Group, Indent, joined, layout
from wslink.contract.ts_runtime import DECLARED
from wslink.contract.usage import PREFIX, Mode, Schema, referred, used

IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)
TYPED = {
    "|i1": "Int8Array", "<i2": "Int16Array", "<u2": "Uint16Array", "<i4": "Int32Array", "<u4": "Uint32Array",
    "<i8": "BigInt64Array", "<u8": "BigUint64Array", "<f4": "Float32Array", "<f8": "Float64Array",
}  # fmt: skip
"""The typed arrays that may stand for an array of one dimension."""
PRIMITIVES = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
USED = frozenset((
    "Array", "ArrayBuffer", "AsyncGenerator", "AsyncIterable", "BigInt", "Blob", "Boolean", "ConstructorParameters",
    "Date", "Error", "Exclude", "Function", "Map", "Number", "Object", "Omit", "Partial", "Promise", "ReadableStream",
    "Readonly", "ReadonlyMap", "Record", "Set", "String", "Symbol", "URL", "Uint8Array", *TYPED.values(),
))  # fmt: skip
"""Names of TypeScript's own that a module uses, or whose meaning everybody takes for granted."""
IMPORTED = frozenset((
    "CallError", "CallOptions", "Callback", "ConnectOptions", "DType", "Filter", "Handler", "HandlerContext",
    "LaunchedSession", "Link", "NDArray", "PublicationInfo", "StreamOptions", "SubscribeOptions", "Subscription",
    "Transport", "UsageError", "connect",
))  # fmt: skip
WORDS = frozenset((
    "any", "arguments", "as", "async", "await", "bigint", "boolean", "break", "case", "catch", "class", "const",
    "constructor", "continue", "debugger", "declare", "default", "delete", "do", "else", "enum", "eval", "export",
    "extends", "false", "finally", "for", "function", "if", "implements", "import", "in", "infer", "instanceof",
    "interface", "is", "keyof", "let", "namespace", "never", "new", "null", "number", "object", "package", "private",
    "protected", "public", "readonly", "return", "static", "string", "super", "switch", "symbol", "this", "throw",
    "true", "try", "type", "typeof", "undefined", "unique", "unknown", "var", "void", "while", "with", "yield",
))  # fmt: skip
"""What no type or class of TypeScript can be called, or should."""
TAKEN = USED | IMPORTED | WORDS | DECLARED | {"Api", "METHODS", "TOPICS", "HANDLERS"}
"""Names that the module uses itself."""


class Types:
    """The types of one module.

    Args:
        document: a description.

    Attributes:
        taken: names that are used; `free` gives others.
        arrays, dtypes: whether any type has an NDArray, and a DType.
    """

    def __init__(self, document: Schema) -> None:
        self.taken: set[str] = set(TAKEN)
        self.arrays: bool = False
        self.dtypes: bool = False
        self._definitions: dict[str, Schema] = document.get("$defs", {})
        self._used = used(document)
        self._names: dict[tuple[str, Mode], str] = {}
        for name in self._used:
            chosen = self.free(re.sub(r"\W", "_", name, flags=re.ASCII))
            self._names[name, "input"] = self._names[name, "output"] = chosen
        self._split()

    def free(self, name: str) -> str:
        """`name`, or one like it that nothing else has."""
        name = name if IDENTIFIER.fullmatch(name) else f"_{name}"
        candidates = (name, f"{name}Type", *(f"{name}{number}" for number in range(2, 10_000)))
        found = next(one for one in candidates if one not in self.taken)
        self.taken.add(found)
        return found

    def _split(self) -> None:
        """Give what clients send a name of its own where it differs from what they are sent."""
        both = [name for name, modes in self._used.items() if len(modes) == 2]
        apart: set[str] = set()
        while True:
            more = [name for name in both if name not in apart and self._differs(name, apart)]
            if not more:
                return
            for name in more:
                self._names[name, "input"] = self.free(f"{self._names[name, 'output']}Input")
            apart.update(more)

    def _differs(self, name: str, apart: set[str]) -> bool:
        schema = self._definitions[name]
        texts = {layout(self._definition(schema, mode)) for mode in ("input", "output")}
        return len(texts) == 2 or any(inner in apart for inner in referred(schema))

    def declarations(self) -> Iterable[str]:
        """What the definitions become, by name."""
        made: dict[str, str] = {}
        for name, modes in self._used.items():
            for mode in sorted(modes, reverse=True):
                made[self._names[name, mode]] = self.declare(self._names[name, mode], self._definitions[name], mode)
        return [made[name] for name in sorted(made)]

    def declare(self, name: str, schema: Schema, mode: Mode, absent: bool = False, doc: str = "") -> str:
        """The declaration of a type.

        Args:
            absent: whether an optional property may be there and undefined.
            doc: what stands in the place of the schema's own description.
        """
        docs = parse(doc or schema.get("description", ""))
        if "properties" in schema and schema.get("type") == "object":
            body = self.members(schema, mode, absent, docs.arguments)
            return f"{comment(docs.text)}export interface {name} {body}\n"
        head = ("export type ", name, " =")
        return comment(docs.text) + layout((head, _aligned(self.parts(schema, mode)), ";")) + "\n"

    def members(self, schema: Schema, mode: Mode, absent: bool, docs: dict[str, str]) -> str:
        """The body of an interface."""
        lines = []
        for name, inner in schema["properties"].items():
            optional = name not in schema.get("required", ())
            said = docs.get(name) or inner.get("description", "")
            if inner.get("default") is not None and mode == "input":
                said = f"{said} Default: {_default(inner['default'])}.".strip()
            lines.append(comment(said, 2))
            extra = ["undefined"] if optional and absent else []
            lines.append(f"  {self.property(name, inner, mode, optional, extra)}\n")
        return "{\n" + "".join(lines) + "}" if lines else "{}"

    def property(self, name: str, schema: Schema, mode: Mode, optional: bool, more: list[str]) -> str:
        """`name: type;`, at two columns."""
        head = f"{key(name)}{'?' if optional else ''}:"
        return layout((head, _aligned([*self.parts(schema, mode), *more]), ";"), 2)

    def of(self, schema: Schema, mode: Mode) -> Doc:
        """The type of a schema."""
        return joined(" | ", self.parts(schema, mode))

    def parts(self, schema: Schema, mode: Mode) -> list[Doc]:
        """The members of a union, or the one type of any other schema."""
        if "$ref" in schema:
            return [self._names[schema["$ref"].removeprefix(PREFIX), mode]]
        if "x-wslink" in schema:
            return self._own(schema, mode)
        union = _alternatives(schema)
        if union is not None:
            found = [part for one in union for part in self.parts(one, mode)]
            return [part for index, part in enumerate(found) if part not in found[:index]]
        if schema.get("type") == "string" and schema.get("format") == "date-time":
            return ["Date", "string"]
        return [self._plain(schema, mode)]

    def _plain(self, schema: Schema, mode: Mode) -> Doc:
        if "const" in schema:
            return json.dumps(schema["const"], ensure_ascii=False)
        if "allOf" in schema:
            return joined(" & ", [self.of(one, mode) for one in schema["allOf"]])
        kind = schema.get("type")
        if kind == "array":
            return self._array(schema, mode)
        if kind == "object":
            return self._object(schema, mode)
        return PRIMITIVES.get(str(kind), "never" if schema.get("not") == {} else "unknown")

    def _definition(self, schema: Schema, mode: Mode) -> Doc:
        """All that a definition says, to compare."""
        if "properties" in schema:
            return self.members(schema, mode, False, {}).replace(" Default: ", "")
        return self.of(schema, mode)

    def _own(self, schema: Schema, mode: Mode) -> list[Doc]:
        """What JSON Schema has no word for."""
        kind = schema["x-wslink"]
        if kind == "bytes":
            return ["Uint8Array"] if mode == "output" else ["Uint8Array", "ArrayBuffer", "Blob"]
        if kind == "integer64":
            return ["bigint"]
        if kind == "stream":
            item = self.of(schema.get("items", {}), mode)
            return [("AsyncIterable<", item, ">"), ("ReadableStream<", item, ">")]
        return self._ndarray(schema, mode) if kind == "ndarray" else ["unknown"]

    def _ndarray(self, schema: Schema, mode: Mode) -> list[Doc]:
        self.arrays = True
        dtypes, shape = schema.get("dtype", []), schema.get("shape")
        plain = " | ".join(json.dumps(one) for one in dtypes)
        dims = ", ".join(str(one) if isinstance(one, int) else "number" for one in shape or ())
        self.dtypes = self.dtypes or bool(shape and not plain)
        whole = f"NDArray<{plain or 'DType'}, [{dims}]>" if shape else f"NDArray<{plain}>" if plain else "NDArray"
        flat = [TYPED[one] for one in dtypes if one in TYPED] if mode == "input" and len(shape or "1") == 1 else []
        return [whole, *flat]

    def _array(self, schema: Schema, mode: Mode) -> Doc:
        constant = "readonly " if mode == "input" else ""
        if "prefixItems" in schema:
            least: int = schema.get("minItems", len(schema["prefixItems"]))
            names: list[str] = schema.get("x-names", [])
            items: list[Doc] = []
            for index, inner in enumerate(schema["prefixItems"]):
                mark = "?" if index >= least else ""
                item = self.of(inner, mode)
                named = len(names) > index and IDENTIFIER.fullmatch(names[index])
                items.append((f"{names[index]}{mark}: ", item) if named else (_bracketed(item, bool(mark)), mark))
            return (constant, Group(("[", Indent((SOFT, joined((",", LINE), items))), Broken(","), SOFT, "]")))
        if schema.get("items") is False:
            return f"{constant}[]"
        return (constant, _bracketed(self.of(schema.get("items") or {}, mode)), "[]")

    def _object(self, schema: Schema, mode: Mode) -> Doc:
        more = schema.get("additionalProperties")
        if "properties" in schema:
            required = schema.get("required", ())
            members = [
                (key(name), ": " if name in required else "?: ", self.of(inner, mode))
                for name, inner in schema["properties"].items()
            ]
            if not members:
                return "Record<string, never>"
            return Group(("{", Indent((LINE, joined((";", LINE), members))), Broken(";"), LINE, "}"))
        values = self.of(more, mode) if isinstance(more, dict) else "unknown"
        if schema.get("x-keys") in ("integer", "number") and mode == "input":
            return ("ReadonlyMap<number, ", values, ">")
        keys = self.of(schema["propertyNames"], mode) if "propertyNames" in schema else "string"
        if keys != "string" and mode == "input":
            return ("Readonly<Partial<Record<", keys, ", ", values, ">>>")
        if keys != "string":
            return ("Partial<Record<", keys, ", ", values, ">>")
        return ("Readonly<Record<string, ", values, ">>") if mode == "input" else ("Record<string, ", values, ">")


def _alternatives(schema: Schema) -> list[Schema] | None:
    """The members of a union; None for anything else."""
    if "$ref" in schema or "x-wslink" in schema:
        return None
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return list(schema[word])
    if "enum" in schema:
        return [{"const": value} for value in schema["enum"]]
    kinds = schema.get("type")
    return [{**schema, "type": kind} for kind in kinds] if isinstance(kinds, list) else None


def _aligned(parts: list[Doc]) -> Doc:
    """A type behind its name: on one line, or a member of a union on each."""
    if len(parts) == 1:
        return (" ", parts[0])
    return Group(Indent((LINE, Broken("| "), joined((LINE, "| "), parts))))


def _bracketed(doc: Doc, also: bool = False) -> Doc:
    """`doc` as what an array holds."""
    text = layout(doc)
    loose = " | " in text or " & " in text or text.startswith("readonly ")
    return ("(", doc, ")") if loose and (also or not text.startswith("{")) else doc


def key(name: str) -> str:
    """A property's name, quoted where it has to be."""
    return name if IDENTIFIER.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def literal_key(name: str) -> str:
    """The name of a property in an object that is written out: `__proto__` alone would be its prototype."""
    return '["__proto__"]' if name == "__proto__" else key(name)


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 60 else "a longer value"
