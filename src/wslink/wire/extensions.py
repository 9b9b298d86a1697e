"""Messages of extensions: arrays whose first item is their type (EXT-4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from wslink.errors import InvalidRequest
from wslink.wire.chunks import SMALL_MESSAGE, whole
from wslink.wire.frames import Message

ACKNOWLEDGEMENT, SETTLED, CANCEL, PROGRESS = 1, 2, 6, 7
_UNCOUNTED = frozenset((ACKNOWLEDGEMENT, SETTLED))


def pack_extension(items: Sequence[Any]) -> Message:
    """A small message of an extension, in a frame of its own."""
    return whole(msgspec.msgpack.encode(items), SMALL_MESSAGE)


def is_uncounted(items: Sequence[Any]) -> bool:
    """Whether a message is of a type whose frames are not acknowledged (FLOW-1)."""
    return len(items) > 0 and type(items[0]) is int and items[0] in _UNCOUNTED


def number(items: Sequence[Any], index: int, what: str) -> int:
    """The number at `index` of a message: an integer of 0 or more.

    Raises:
        InvalidRequest: naming what is missing or wrong.
    """
    value = items[index] if index < len(items) else None
    if type(value) is not int or value < 0:
        raise InvalidRequest(f"{what} must be an integer of 0 or more, not {str(value)[:40]}")
    return value
