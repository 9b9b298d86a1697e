"""The description of a server: one JSON document (docs/contract.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wslink.hub.topics import Topic
from wslink.rpc.definitions import plain
from wslink.rpc.description import describe_call, describe_errors
from wslink.rpc.json_schema import Schemas
from wslink.rpc.methods import Method

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FORMAT = 1
"""The version of the document's format. It changes when readers have to."""
OWN = "wslink."
"""The prefix of built-in methods, which are not part of the description."""


def describe(methods: Mapping[str, Method], topics: Mapping[str, Topic], pages: Mapping[str, Method]) -> dict[str, Any]:
    """Describe what a server offers, in alphabetical order.

    Args:
        methods: the methods that clients may call.
        topics: the topics that they may subscribe to.
        pages: the methods that the application calls in pages.
    """
    schemas = Schemas()
    document: dict[str, Any] = {"$schema": DIALECT, "wslink": FORMAT}
    document["methods"] = {
        name: _method(methods[name], schemas) for name in sorted(methods) if not name.startswith(OWN)
    }
    document["topics"] = {name: _topic(topics[name], schemas) for name in sorted(topics) if topics[name].declared}
    document["handlers"] = {name: _method(pages[name], schemas, True) for name in sorted(pages)}
    document["$defs"] = schemas.definitions.finish()
    return plain(document)


def _method(method: Method, schemas: Schemas, page: bool = False) -> dict[str, Any]:
    described: dict[str, Any] = {"description": method.doc} if method.doc else {}
    if method.signature is None:
        described.update(params={}, result={})
    else:
        described.update(describe_call(method.signature, schemas, page))
    if method.errors:
        described["errors"] = describe_errors(method.errors, schemas)
    return described


def _topic(topic: Topic, schemas: Schemas) -> dict[str, Any]:
    said = topic.types.describe(schemas) if topic.types is not None else {}
    return {**said, "delivery": topic.delivery, "retained": topic.retained is not None}
