"""Messages of extensions: arrays whose first item is their type (EXT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec.msgpack import Ext

from wslink.errors import InvalidRequest
from wslink.wire.chunks import HEADER, HEADER_LENGTH
from wslink.wire.frames import Frame, Message
from wslink.wire.value import Value

ACKNOWLEDGEMENT, SETTLED, ITEM, ITEM_END, ITEM_CREDIT, CANCEL, PROGRESS = range(1, 8)
STREAM_KEY = 2
"""The MessagePack extension that stands for an argument which is a stream (STR-4)."""
PASSING = frozenset((ACKNOWLEDGEMENT, SETTLED, ITEM_CREDIT, CANCEL))
"""Types of messages that may overtake waiting ones, since their order relative to them does not matter."""
_UNCOUNTED = frozenset((ACKNOWLEDGEMENT, SETTLED, ITEM_CREDIT))

StreamKey = Annotated[int, msgspec.Meta(ge=0)]


def pack_extension(items: Sequence[Any]) -> Message:
    """Create a small message of an extension, in a separate frame with the number 0 (RES-2)."""
    text = msgspec.msgpack.encode(items)
    size = HEADER_LENGTH + len(text)
    return Message((Frame(True, (HEADER.pack(0, 0, len(text)) + text,), size, False),), size)


def is_uncounted(items: Sequence[Any]) -> bool:
    """Whether a message has a type whose frames are not acknowledged (FLOW-1)."""
    return len(items) > 0 and type(items[0]) is int and items[0] in _UNCOUNTED


def number(items: Sequence[Any], index: int, what: str) -> int:
    """Return the number at `index` of a message: an integer, 0 or more.

    Raises:
        InvalidRequest: it is missing or not valid. The message names it.
    """
    value = items[index] if index < len(items) else None
    if type(value) is not int or value < 0:
        raise InvalidRequest(f"{what} must be an integer of 0 or more, not {str(value)[:40]}")
    return value


class Extension:
    """A received MessagePack extension type that represents no plain value. It cannot be encoded: the recipient could
    not decode it."""

    __slots__ = ("code", "data")

    def __init__(self, code: int, data: bytes) -> None:
        self.code: int = code
        self.data: bytes = data


def stream_key(key: int) -> Ext:
    """The representation of an argument that is the stream `key` of its call (STR-4)."""
    return Ext(STREAM_KEY, msgspec.msgpack.encode(key))


def read_stream_key(value: Value) -> int | None:
    """The key of the stream that an argument represents; None if it is not a stream."""
    if not isinstance(value, Extension) or value.code != STREAM_KEY:
        return None
    try:
        return msgspec.msgpack.decode(value.data, type=StreamKey)
    except msgspec.DecodeError:
        return None
