"""Ids and envelopes: what both generations share (docs/protocol/messages.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from wslink.errors import InvalidRequest

VERSION = "1.0"  # MSG-1
HELLO_ID = "system:c0:0"  # MSG-3
HELLO = "wslink.hello"
SUBSCRIBE = "wslink.subscribe"
UNSUBSCRIBE = "wslink.unsubscribe"
SUBSCRIPTIONS = "subscribe"
"""The feature of explicit subscriptions (SUB)."""
ARRAYS = "arrays"
"""The feature of typed arrays (ARR)."""
MALFORMED_ID = "system:malformed:0"  # ERR-5

_ID = re.compile(r"(rpc|publish|system):(\w+(?:\.\w+)*):(\d+)", re.ASCII)
_TOPIC = re.compile(r"\w+(?:\.\w+)*", re.ASCII)
_METHOD = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*", re.ASCII)

# The JavaScript \w and \d are ASCII's, and so are ours (MSG-2). Bound here once: these stand on the path of every call.
match_id: Callable[[str], re.Match[str] | None] = _ID.fullmatch
is_topic: Callable[[str], re.Match[str] | None] = _TOPIC.fullmatch
is_method_name: Callable[[str], re.Match[str] | None] = _METHOD.fullmatch

_PLAIN = (bool, int, float, str, bytes, list, dict)

Envelope = dict[str, Any]
"""A decoded message, not yet checked."""


class Request(msgspec.Struct):
    """A call. Decoders that are told to make these straight from the bytes; only `id` is still to be checked then."""

    method: str
    id: str = ""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}


def parse_call(envelope: Any) -> Request:
    """Check a decoded message against the shape of a call.

    Raises:
        InvalidRequest: naming the key that is wrong, and what it must be.
    """
    if type(envelope) is Request and match_id(envelope.id) is not None:
        return envelope
    if isinstance(envelope, Request):
        envelope = msgspec.structs.asdict(envelope)
    if not isinstance(envelope, dict):
        raise InvalidRequest(f"a message must be a map, not {_kind(envelope)}")
    id_ = envelope.get("id")
    if not isinstance(id_, str) or match_id(id_) is None:
        raise InvalidRequest("'id' must be a string such as 'rpc:<clientID>:<number>'")
    method = envelope.get("method")
    if not isinstance(method, str):
        raise InvalidRequest(f"'method' must be a string, not {_kind(method)}")
    args = _given(envelope, "args", [])
    kwargs = _given(envelope, "kwargs", {})
    if not isinstance(args, list):
        raise InvalidRequest(f"'args' must be a list, not {_kind(args)}")
    if not isinstance(kwargs, dict) or not all(isinstance(key, str) for key in kwargs):
        raise InvalidRequest("'kwargs' must be a map with string keys")
    return Request(method, id_, args, kwargs)


def _given(envelope: Envelope, key: str, absent: Any) -> Any:
    """The value of `key`. Released servers take an empty one of any type for an absent one, and `null` is met in the
    field; an array has no truth value."""
    value = envelope.get(key)
    return absent if value is None or (isinstance(value, _PLAIN) and not value) else value


def answerable_id(envelope: Any) -> str:
    """The id under which to refuse a malformed message (ERR-5)."""
    id_ = envelope.get("id") if isinstance(envelope, dict) else None
    return id_ if isinstance(id_, str) and match_id(id_) else MALFORMED_ID


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "a map" if isinstance(value, dict) else f"a {type(value).__name__}")
