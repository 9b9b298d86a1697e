"""Schemas of a description as types of Python."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable

from wslink.contract.docstrings import parse
from wslink.contract.usage import PREFIX, Mode, Schema, referred, used

PRIMITIVES = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None",
}  # fmt: skip
FORMATS = {
    "date-time": "datetime.datetime", "date": "datetime.date", "time": "datetime.time",
    "duration": "datetime.timedelta", "uuid": "uuid.UUID", "decimal": "decimal.Decimal",
}  # fmt: skip
SCALARS = {
    "|b1": "bool_", "|i1": "int8", "|u1": "uint8", "<i2": "int16", "<u2": "uint16", "<f2": "float16", "<i4": "int32",
    "<u4": "uint32", "<f4": "float32", "<i8": "int64", "<u8": "uint64", "<f8": "float64", "<c8": "complex64",
    "<c16": "complex128",
}  # fmt: skip
TAKEN = frozenset((
    "Annotated", "Any", "Api", "Array", "AsyncIterable", "AsyncIterator", "BooleanBounds", "CallError",
    "Link", "Literal", "Mapping", "Namespace", "NumberBounds", "Sequence", "TextBounds", "TypeAlias", "TypedDict",
    "TypedTopic", "UNSET", "builtins", "bool", "bytearray", "bytes", "datetime", "decimal", "dict", "float", "int",
    "list", "memoryview", "np", "npt", "object", "property", "str", "super", "tuple", "uuid",
))  # fmt: skip
"""Names that the module uses itself."""
BUILTINS = re.compile(r"\b(?:bool|bytearray|bytes|dict|float|int|list|memoryview|str|tuple)\b")
MODULES = ("datetime", "decimal", "uuid")
OWN = ("_call", "_link", "_stream")
"""Members of every namespace."""


class Types:
    """The types of one module.

    Args:
        document: a description.

    Attributes:
        modules: what they need of the standard library.
        hidden: names that a method of the server has, so that they mean something else in the class it is in.
        arrays: whether any is an array.
    """

    def __init__(self, document: Schema) -> None:
        self.taken: set[str] = set(TAKEN)
        self.modules: set[str] = set()
        self.arrays: bool = False
        self.hidden: frozenset[str] = frozenset(name.rpartition(".")[2] for name in document["methods"])
        self._definitions: dict[str, Schema] = document.get("$defs", {})
        self._used = used(document)
        self._names: dict[tuple[str, Mode], str] = {}
        for name in self._used:
            chosen = self.free(re.sub(r"\W", "_", name))
            self._names[name, "input"] = self._names[name, "output"] = chosen
        self._split()

    def free(self, name: str) -> str:
        """`name`, or one like it that nothing else has."""
        name = f"{name}_" if keyword.iskeyword(name) else name if name.isidentifier() else f"_{name}"
        candidates = (name, f"{name}Type", *(f"{name}{number}" for number in range(2, 10_000)))
        found = next(one for one in candidates if one not in self.taken)
        self.taken.add(found)
        return found

    def _split(self) -> None:
        """Give what clients send a name of its own where it differs from what they are sent."""
        apart: set[str] = set()
        both = [name for name, modes in self._used.items() if len(modes) == 2]
        while more := [name for name in both if name not in apart and self._differs(name, apart)]:
            for name in more:
                self._names[name, "input"] = self.free(f"{self._names[name, 'output']}Input")
            apart.update(more)

    def _differs(self, name: str, apart: set[str]) -> bool:
        schema = self._definitions[name]
        sent, received = ("\n".join(self._lines("X", schema, mode)) for mode in _MODES)
        return sent != received or any(inner in apart for inner in referred(schema))

    def declarations(self) -> Iterable[str]:
        """What the definitions become. Classes come first: aliases are made of them as the module is read."""
        made: dict[str, tuple[bool, str]] = {}
        for name, modes in self._used.items():
            for mode in sorted(modes):
                schema = self._definitions[name]
                lines = self._lines(self._names[name, mode], schema, mode)
                made[self._names[name, mode]] = "properties" not in schema, "\n".join(lines) + "\n"
        classes = sorted(text for alias, text in made.values() if not alias)
        return [*classes, *_in_order({name: text for name, (alias, text) in made.items() if alias})]

    def _lines(self, name: str, schema: Schema, mode: Mode) -> list[str]:
        if "properties" not in schema:
            return [f"{name}: TypeAlias = {self.of(schema, mode)}"]
        required = schema.get("required", ())
        sure = {k: one for k, one in schema["properties"].items() if k in required}
        maybe = {k: one for k, one in schema["properties"].items() if k not in required}
        doc = parse(schema.get("description", "")).text
        if not all(map(_is_name, schema["properties"])):
            return self._by_call(name, sure, maybe, mode)
        if not maybe:
            return self._class(name, "TypedDict", doc, sure, mode)
        if not sure:
            return self._class(name, "TypedDict, total=False", doc, maybe, mode)
        base = f"_{name}Always"
        whole = self._class(name, f"{base}, total=False", doc, maybe, mode)
        return [*self._class(base, "TypedDict", "", sure, mode), "", "", *whole]

    def _class(self, name: str, base: str, doc: str, fields: dict[str, Schema], mode: Mode) -> list[str]:
        lines = [f"class {name}({base}):", *docstring(doc, 4)]
        if doc and fields:
            lines.append("")
        lines += [f"    {field}: {self.of(schema, mode)}" for field, schema in fields.items()]
        return lines if len(lines) > 1 else [*lines, "    pass"]

    def _by_call(self, name: str, sure: dict[str, Schema], maybe: dict[str, Schema], mode: Mode) -> list[str]:
        """A TypedDict some of whose keys are no names."""

        def made(what: str, fields: dict[str, Schema], total: str) -> str:
            inner = ", ".join(f"{json.dumps(k)}: {quoted(self.of(one, mode))}" for k, one in fields.items())
            return f'{what} = TypedDict("{what}", {{{inner}}}{total})'

        if not (sure and maybe):
            return [made(name, sure or maybe, "" if sure else ", total=False")]
        first, second = f"_{name}Always", f"_{name}Maybe"
        both = ["", "", f"class {name}({first}, {second}):", "    pass"]
        return [made(first, sure, ""), made(second, maybe, ", total=False"), *both]

    def of(self, schema: Schema, mode: Mode) -> str:
        """The type of a schema."""
        if "$ref" in schema:
            return self._names[schema["$ref"].removeprefix(PREFIX), mode]
        if "x-wslink" in schema:
            return self._own(schema, mode)
        for word in ("anyOf", "oneOf"):
            if word in schema:
                return " | ".join(dict.fromkeys(self.of(one, mode) for one in schema[word]))
        if "enum" in schema or "const" in schema:
            values = schema["enum"] if "enum" in schema else [schema["const"]]
            floats = any(isinstance(value, float) for value in values)
            return self._seen("float") if floats else f"Literal[{', '.join(map(literal, values))}]"
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.of({**schema, "type": one}, mode) for one in kind)
        if kind == "array":
            return self._array(schema, mode)
        if kind == "object":
            return self._object(schema, mode)
        named = FORMATS.get(schema.get("format", "")) if kind == "string" else None
        if named is not None:
            module = named.partition(".")[0]
            self.modules.add(module)
            return f"_{named}" if module in self.hidden else named
        return self._seen(PRIMITIVES.get(str(kind), "Any"))

    def _seen(self, text: str) -> str:
        """Names of builtins, also where a method has one of them."""

        def found(name: re.Match[str]) -> str:
            if name[0] not in self.hidden:
                return name[0]
            self.modules.add("builtins")
            return f"builtins.{name[0]}"

        return BUILTINS.sub(found, text) if self.hidden else text

    def _own(self, schema: Schema, mode: Mode) -> str:
        kind = schema["x-wslink"]
        if kind == "bytes":
            return self._seen("bytes" if mode == "output" else "bytes | bytearray | memoryview")
        if kind == "stream":
            return f"AsyncIterable[{self.of(schema.get('items', {}), mode)}]"
        if kind != "ndarray":
            return self._seen("int") if kind == "integer64" else "Any"
        self.arrays = True
        dtypes, shape = schema.get("dtype", []), schema.get("shape")
        plain = f"npt.NDArray[{f'np.{SCALARS[dtypes[0]]}' if len(dtypes) == 1 else 'Any'}]"
        if shape is None:
            return plain
        return f"Annotated[{plain}, Array({', '.join(map(literal, [dtypes[0] if len(dtypes) == 1 else '', *shape]))})]"

    def _array(self, schema: Schema, mode: Mode) -> str:
        list_, tuple_ = self._seen("list"), self._seen("tuple")
        if "prefixItems" in schema:
            items = [self.of(one, mode) for one in schema["prefixItems"]]
            least = schema.get("minItems", len(items)) if mode == "input" else len(items)
            lengths = range(len(items), least - 1, -1)
            return " | ".join(f"{tuple_}[{', '.join(items[:length]) or '()'}]" for length in lengths)
        if schema.get("items") is False:
            return f"{tuple_}[()]"
        inner = self.of(schema.get("items") or {}, mode)
        return f"{list_}[{inner}]" if mode == "output" else f"Sequence[{inner}]"

    def _object(self, schema: Schema, mode: Mode) -> str:
        more = schema.get("additionalProperties")
        values = self.of(more, mode) if isinstance(more, dict) else "Any"
        keys = self._seen({"integer": "int", "number": "float", "boolean": "bool"}.get(schema.get("x-keys", ""), "str"))
        if "propertyNames" in schema:
            keys = self.of(schema["propertyNames"], mode)
        return f"{self._seen('dict')}[{keys}, {values}]" if mode == "output" else f"Mapping[{keys}, {values}]"


def _in_order(aliases: dict[str, str]) -> list[str]:
    """Aliases behind those that they are made of."""
    done: list[str] = []
    waiting = dict(sorted(aliases.items()))
    while waiting:
        ready = [
            name
            for name, text in waiting.items()
            if not (set(re.findall(r"\w+", text.partition("=")[2])) & waiting.keys() - {name})
        ]
        done += [waiting.pop(name) for name in ready or list(waiting)]
    return done


_MODES: tuple[Mode, Mode] = ("input", "output")


def literal(value: object) -> str:
    """A value as Python has it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def quoted(text: str) -> str:
    """A type that is not looked at before all are there."""
    return json.dumps(text) if '"' not in text else repr(text)


def docstring(text: str, indent: int) -> list[str]:
    """The lines of a docstring; none for no text."""
    if not text:
        return []
    lines = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"').splitlines()
    lines[-1] += " " if lines[-1].endswith('"') else ""
    pad = " " * indent
    if len(lines) == 1:
        return [f'{pad}"""{lines[0]}"""']
    return [f'{pad}"""{lines[0]}', *(f"{pad}{line}".rstrip() for line in lines[1:]), f'{pad}"""']


def names_of(words: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Words as names of Python: members, or parameters. Each differs from the others, and from those that are taken."""
    found: dict[str, str] = {}
    used = {*taken, *(word for word in words if _is_name(word))}
    for word in words:
        if _is_name(word) and word not in taken:
            found[word] = word
            continue
        name = re.sub(r"\W", "_", word)
        name = f"_{name.lstrip('_')}" if name.startswith("__") else name if name.isidentifier() else f"_{name}"
        while name in used or not _is_name(name):
            name += "_"
        used.add(name)
        found[word] = name
    return found


def _is_name(word: str) -> bool:
    """Whether `word` can be a name in a class, where those that begin with two underscores become others."""
    return word.isidentifier() and not keyword.iskeyword(word) and not word.startswith("__")
