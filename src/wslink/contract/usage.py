"""Uses of a description's definitions: which ones clients send, and which they receive."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

Mode = Literal["input", "output"]
Schema = dict[str, Any]
PREFIX = "#/$defs/"


def roots(document: Schema) -> Iterator[tuple[Schema, Mode]]:
    """The schemas of a description that stand outside of its definitions."""
    for method in document["methods"].values():
        yield method.get("params", {}), "input"
        yield method.get("result", {}), "output"
        yield method.get("stream", {}), "output"
        for error in method.get("errors", ()):
            yield error.get("data", {}), "output"
    for topic in document["topics"].values():
        yield topic.get("payload", {}), "output"
        yield topic.get("tags", {}), "input"
    for handler in document["handlers"].values():
        yield handler.get("params", {}), "output"
        yield handler.get("result", {}), "input"


def referred(node: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"].removeprefix(PREFIX)
        for key, inner in node.items():
            if key not in ("default", "enum", "const", "examples"):
                yield from referred(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from referred(inner)


def used(document: Schema) -> dict[str, set[Mode]]:
    """The modes in which each definition is used, in the order of their names."""
    definitions = document.get("$defs", {})
    found: dict[str, set[Mode]] = {name: set() for name in sorted(definitions)}
    waiting: list[tuple[str, Mode]] = [(name, mode) for schema, mode in roots(document) for name in referred(schema)]
    while waiting:
        name, mode = waiting.pop()
        if name in found and mode not in found[name]:
            found[name].add(mode)
            waiting += [(inner, mode) for inner in referred(definitions[name])]
    return {name: modes for name, modes in found.items() if modes}
