"""The declared types of a topic: of its payloads, and of its tags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wslink.errors import UsageError
from wslink.rpc.converters import Hint, Unsupported
from wslink.rpc.definitions import Mode, Schema
from wslink.rpc.fields import Fields, fields_of
from wslink.rpc.hints import checkable
from wslink.rpc.json_schema import Schemas, Undescribable
from wslink.rpc.results import check
from wslink.wire.value import Value

_TAGS = ("string", "integer", "number", "boolean")


class TopicTypes:
    """The declared types of a topic's publications.

    Args:
        topic: its name.
        payload: a type hint; None if not declared.
        tags: a TypedDict or dataclass with a field for each tag; None if not declared.
        doc: a description of the topic.

    Raises:
        UsageError: a type hint cannot be described, or filters could not compare the tags.
    """

    def __init__(self, topic: str, payload: Hint, tags: Hint, doc: str) -> None:
        self._topic = topic
        self.payload: Hint = payload
        self.tags: Hint = tags
        self.doc: str = doc
        self._payload = _checkable(topic, "payload", payload, "output") if payload is not None else None
        self._tags = _checkable(topic, "tags", tags, "input") if tags is not None else None
        fields = _tag_fields(topic, tags) if tags is not None else None
        self._names = frozenset(field.name for field in fields.fields) if fields is not None else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TopicTypes) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((self._topic, self.doc))

    def _said(self) -> tuple[Hint, Hint, str]:
        return self.payload, self.tags, self.doc

    def check(self, payload: Value, tags: Mapping[str, Value] | None) -> None:
        """Raise UsageError for a publication that does not match. Tags are not checked if they are None."""
        if self.payload is not None:
            check(f"topic {self._topic!r} was given", payload, self._payload)
        if self._names is None or tags is None:
            return
        unknown = sorted(tags.keys() - self._names)
        if unknown:
            known = ", ".join(sorted(self._names))
            raise UsageError(f"topic {self._topic!r} has no tag {unknown[0]!r}; its tags: {known}")
        check(f"topic {self._topic!r} was given tags", dict(tags), self._tags)

    def describe(self, schemas: Schemas) -> dict[str, Any]:
        """The schemas of payload and tags, and the description."""
        described: dict[str, Any] = {"description": self.doc} if self.doc else {}
        if self.payload is not None:
            described["payload"] = schemas.of(self.payload, "output")
        if self.tags is not None:
            described["tags"] = schemas.of(self.tags, "input")
        return described


def _checkable(topic: str, what: str, hint: Hint, mode: Mode) -> Hint:
    try:
        Schemas().of(hint, mode)
        return checkable(hint)
    except (Undescribable, Unsupported) as error:
        raise UsageError(f"topic {topic!r}: its {what}: {error}") from None


def _tag_fields(topic: str, tags: Hint) -> Fields:
    fields = fields_of(tags, "input") if isinstance(tags, type) else None
    if fields is None or not fields.keyed:
        raise UsageError(
            f"topic {topic!r}: its tags: {tags!r} is not a TypedDict or dataclass with a field for each tag"
        )
    for field in fields.fields:
        schemas = Schemas()
        schema = schemas.of(field.hint, "input")
        if not _is_tag(schema, schemas.definitions.finish()):
            raise UsageError(f"topic {topic!r}: tag {field.name!r}: a tag is text, a number or a boolean")
    return fields


def _is_tag(schema: Schema, definitions: dict[str, Schema]) -> bool:
    """Whether a filter can compare all values that a schema allows."""
    if "$ref" in schema:
        return _is_tag(definitions[str(schema["$ref"]).rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return all(_is_tag(one, definitions) for one in schema["anyOf"])
    if "enum" in schema:
        return None not in schema["enum"]
    return schema.get("type") in _TAGS
