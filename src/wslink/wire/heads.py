"""The ids of messages that cannot be decoded as a whole (ERR-5). All known clients put the id before the large parts of
a message, so that it is in the first bytes."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import msgspec

from wslink.wire.frames import Buffer
from wslink.wire.messages import is_id

HEAD = 8192
"""Bytes of a message in which its id is looked for."""
MAX_KEYS = 8
"""Keys of the envelope before the id."""

_STRING = r'"(?:[^"\\]|\\.)*+"'.replace("*+", "*")
_TEXT_ID = rf'\s*\{{\s*(?:{_STRING}\s*:\s*(?:{_STRING}|[-+.\w]+)\s*,\s*){{0,{MAX_KEYS}}}?"id"\s*:\s*({_STRING})'


def packed_id(head: Buffer) -> str | None:
    """The id in the first bytes of a MessagePack envelope; None if there is none."""
    import msgpack  # which is seldom needed

    unpacker = msgpack.Unpacker(max_buffer_size=HEAD)
    unpacker.feed(bytes(head[:HEAD]))
    with contextlib.suppress(Exception):  # the message is refused anyway
        for _ in range(min(unpacker.read_map_header(), MAX_KEYS)):
            if unpacker.unpack() == "id":
                return _checked(unpacker.unpack())
            unpacker.skip()
    return None


def is_packed_response(head: Buffer) -> bool:
    """Whether these are the first bytes of a response: its result, or error, comes before any method."""
    import msgpack  # which is seldom needed

    unpacker = msgpack.Unpacker(max_buffer_size=HEAD)
    unpacker.feed(bytes(head[:HEAD]))
    with contextlib.suppress(Exception):  # if in doubt, the message waits for its turn
        for _ in range(min(unpacker.read_map_header(), MAX_KEYS)):
            key = unpacker.unpack()
            if key in ("result", "error", "method"):
                return bool(key != "method")
            unpacker.skip()
    return False


def text_id(text: Buffer | str) -> str | None:
    """The id in the first characters of a JSON envelope; None if there is none."""
    head = text[:HEAD]
    match = re.match(_TEXT_ID, head if isinstance(head, str) else bytes(head).decode(errors="replace"))
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
        return _checked(msgspec.json.decode(match[1])) if match else None
    return None


def _checked(id_: Any) -> str | None:
    return id_ if is_id(id_) else None
