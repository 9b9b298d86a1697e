"""The nesting depth of values (MSG-8). What an encoder supports depends on the interpreter and its stack."""

from __future__ import annotations

import itertools
from array import array

from wslink.wire.frames import Buffer

MAX_DEPTH = 512
"""Lists and maps inside one another in a value that is sent; JavaScript's client reads no more."""

_BRACKETS = b"[]{}"
_STEPS = bytes.maketrans(_BRACKETS, bytes((1, 255, 1, 255)))
_OTHERS = bytes(set(range(256)) - set(_BRACKETS))

_STACK = 1024
"""Containers that msgpack follows into one another."""
_OUTER = b"\x91" * (_STACK - MAX_DEPTH)
"""Lists around a value, so that it may hold MAX_DEPTH before the stack is at its end."""


def is_deep_json(text: bytes) -> bool:
    """Whether the value encoded as `text` nests more than MAX_DEPTH levels deep."""
    if len(text) <= 2 * MAX_DEPTH or text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return False
    steps = outside_strings(text).translate(_STEPS, _OTHERS)
    return max(itertools.accumulate(array("b", steps)), default=0) > MAX_DEPTH


def outside_strings(text: bytes) -> bytes:
    """A JSON text without its strings. A regular expression would take the square of the time for one that does not
    end, and a hundred times the memory for any."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2])


def is_deep_packed(text: Buffer) -> bool:
    """Whether the value encoded as `text` nests more than MAX_DEPTH levels deep."""
    if len(text) <= MAX_DEPTH:
        return False
    import msgpack  # which is seldom needed

    unpacker = msgpack.Unpacker(max_buffer_size=0)
    unpacker.feed(_OUTER)
    unpacker.feed(text)
    try:
        unpacker.skip()
    except msgpack.StackError:
        return True
    return False
