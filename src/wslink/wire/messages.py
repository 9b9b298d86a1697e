"""Ids and envelopes, which both protocol versions share (docs/protocol/messages.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeGuard

import msgspec

from wslink.errors import InvalidRequest
from wslink.wire.value import Value

VERSION = "1.0"  # MSG-1
HELLO_ID = "system:c0:0"  # MSG-3
HELLO = "wslink.hello"
SUBSCRIBE = "wslink.subscribe"
UNSUBSCRIBE = "wslink.unsubscribe"
SUBSCRIPTIONS = "subscribe"
"""The feature of explicit subscriptions (SUB)."""
ARRAYS = "arrays"
"""The feature of typed arrays (ARR)."""
CANCELLATION = "cancel"
"""The feature of cancellation (CAN)."""
STREAM = "stream"
"""The feature of streamed results and arguments (STR)."""
RESUME = "resume"
"""The feature of session resumption (RES)."""
TRACE = "trace"
"""The feature of trace contexts in messages (TRC)."""
HANDLES = "handle"
"""The feature of calls from server to client (HND)."""
PROGRESSES = "progress"
"""The feature of progress (PRG)."""
MALFORMED_ID = "system:malformed:0"  # ERR-5
DISCONNECTED = 4002
"""The close code of a client that the application disconnects for good."""

_ID = re.compile(r"(rpc|publish|system):(\w+(?:\.\w+)*):(\d+)", re.ASCII)
_TOPIC = re.compile(r"\w+(?:\.\w+)*", re.ASCII)
_METHOD = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*", re.ASCII)

# The JavaScript \w and \d are ASCII's, and so are ours (MSG-2). Bound here once: these stand on the path of every call.
match_id: Callable[[str], re.Match[str] | None] = _ID.fullmatch
is_topic: Callable[[str], re.Match[str] | None] = _TOPIC.fullmatch
is_method_name: Callable[[str], re.Match[str] | None] = _METHOD.fullmatch

MAX_ID = 1024
"""Characters in the id of a call (MSG-2)."""
NO_ID = "".join(("no ", "id"))
"""Stands for a missing id. Compared by identity."""

_PLAIN = (bool, int, float, str, bytes, list, dict)

Envelope = dict[str, Any]
"""A decoded message, not yet checked."""


class _Incomplete:
    def __repr__(self) -> str:
        return "INCOMPLETE"


INCOMPLETE = _Incomplete()
"""Returned by decoders for a frame that completes no message."""


class Request(msgspec.Struct):
    """A call. Decoders can create it directly from bytes; only `id` has to be checked then."""

    method: str
    id: str = NO_ID
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    stream: int | None = None
    """The credit with which the call asks for a stream (STR-1)."""
    progress: bool = False
    """Whether the caller wants progress reports (PRG-1)."""
    traceparent: Value = None
    """Whatever stands for the span that it was made in (TRC-1); see wire.traceparent."""


def parse_call(envelope: Value) -> Request:
    """Check that a decoded message has the form of a call.

    Raises:
        InvalidRequest: the message names the key that is not valid, and what it must be.
    """
    if type(envelope) is Request:
        if envelope.id is not NO_ID and is_id(envelope.id):  # all else was checked as it was decoded
            return envelope
        envelope = {**msgspec.structs.asdict(envelope), "id": None if envelope.id is NO_ID else envelope.id}
    if not isinstance(envelope, dict):
        raise InvalidRequest(f"a message must be a map, not {_kind(envelope)}")
    id_ = envelope.get("id")
    if not is_id(id_):
        raise InvalidRequest(
            f"'id' must be a string of at most {MAX_ID} characters (max_id), such as 'rpc:<clientID>:<number>'"
        )
    method = envelope.get("method")
    if not isinstance(method, str):
        raise InvalidRequest(f"'method' must be a string, not {_kind(method)}")
    args = _given(envelope, "args", [])
    kwargs = _given(envelope, "kwargs", {})
    if not isinstance(args, list):
        raise InvalidRequest(f"'args' must be a list, not {_kind(args)}")
    if not isinstance(kwargs, dict) or (kwargs and not all(isinstance(key, str) for key in kwargs)):
        raise InvalidRequest("'kwargs' must be a map with string keys")
    stream = envelope.get("stream")
    if stream is not None and type(stream) is not int:
        raise InvalidRequest(f"'stream' must be a number of items, not {_kind(stream)}")
    progress = envelope.get("progress", False)
    if not isinstance(progress, bool):
        raise InvalidRequest(f"'progress' must be a boolean, not {_kind(progress)}")
    return Request(method, id_, args, kwargs, stream, progress, envelope.get("traceparent"))


def _given(envelope: Envelope, key: str, absent: Value) -> Value:
    """The value of `key`. Released servers treat an empty value of any type as absent, and clients do send `null`. An
    array has no truth value."""
    value = envelope.get(key)
    return absent if value is None or (isinstance(value, _PLAIN) and not value) else value


def answerable_id(envelope: Value) -> str:
    """The id for the refusal of a malformed message (ERR-5)."""
    id_ = envelope.get("id") if isinstance(envelope, dict) else None
    return id_ if is_id(id_) else MALFORMED_ID


def is_id(value: Value) -> TypeGuard[str]:
    """Whether `value` may be the id of a call: any text of a limited length (MSG-2)."""
    return isinstance(value, str) and len(value) <= MAX_ID and (value.isascii() or is_text(value))


def is_text(value: str) -> bool:
    """Whether `value` can be sent: it contains no unpaired surrogates."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Value) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "a map" if isinstance(value, dict) else f"a {type(value).__name__}")
