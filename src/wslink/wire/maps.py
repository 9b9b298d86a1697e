"""The keys of maps and the number of values in a message (MSG-8, LIM-13), checked before anything is built of them.

Python makes tuples of arrays that are keys, and their hash is no secret: a map of chosen ones would take quadratic
time. Clients in JavaScript cannot hold such maps at all.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgpack

from wslink.errors import LimitExceeded, ParseError
from wslink.wire.frames import Buffer
from wslink.wire.value import Value

SMALL = 4096
"""Messages of at most so many bytes are decoded first and checked after: no map in them can take long."""
STEPS = 256
"""Values up to which a message is looked through here, which is the fastest where a few large ones fill it."""

KEYS: frozenset[type] = frozenset((str, int, float))
"""Types of keys that every peer can hold: text and numbers."""
RELEASED_KEYS: frozenset[type] = KEYS | {bool, type(None)}
"""Types of keys that released servers send: Python's clients can hold them all."""
_LEAVES = frozenset((str, int, float, bool, type(None), bytes))
_WRONG_KEY = "a key of a map must be a string or a number"


def check_decoded(values: Iterable[Value]) -> None:
    """Check the maps of a message that was decoded already. Raises ParseError."""
    stack: list[Value] = [values]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            if not KEYS.issuperset(map(type, node)):
                raise ParseError(_WRONG_KEY)
            node = node.values()
        if not _LEAVES.issuperset(map(type, node)):
            stack.extend(item for item in node if type(item) is dict or type(item) is list)


def check_packed(text: Buffer, max_elements: int, keys: frozenset[type] = KEYS) -> None:
    """Check the maps and the number of values of a MessagePack message.

    Args:
        text: the message.
        max_elements: the most values in it.
        keys: types that the keys of its maps may have; KEYS or RELEASED_KEYS.

    Raises:
        ParseError: for a key that is neither text nor a number, and for what is no MessagePack.
        LimitExceeded: for more than `max_elements` values (LIM-13).
    """
    if _look_through(text, _KEY_BYTES[type(None) in keys]):
        return
    count = _Count(max_elements, keys)
    try:
        msgpack.unpackb(
            text,
            strict_map_key=False,
            object_pairs_hook=count.pairs,
            list_hook=count.items,
            ext_hook=_no_key,
            max_array_len=max_elements,
            max_map_len=max_elements,
        )
    except (ParseError, LimitExceeded):
        raise
    except Exception as error:
        if "exceeds max_array_len" in str(error) or "exceeds max_map_len" in str(error):
            raise count.excess() from None
        raise ParseError(f"malformed MessagePack: {error or type(error).__name__}") from error


def _no_key(code: int, data: bytes) -> Value:
    return None


class _Count:
    def __init__(self, limit: int, keys: frozenset[type]) -> None:
        self._keys = keys
        self._limit = limit
        self._left = limit

    def pairs(self, pairs: list[tuple[Value, Value]]) -> None:
        if not self._keys.issuperset([type(key) for key, _ in pairs]):
            raise ParseError(_WRONG_KEY)
        self.items(pairs)

    def items(self, items: list[Value]) -> None:
        self._left -= len(items)
        if self._left < 0:
            raise self.excess()

    def excess(self) -> LimitExceeded:
        return LimitExceeded(f"over max_elements ({self._limit}) values are in one message")


# What follows a first byte: (bytes of its length, bytes beside what the length counts, kind).
_SCALAR, _DATA, _ARRAY, _MAP = range(4)
_FIXED = {0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5,
          0xD3: 9, 0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}  # fmt: skip
_SIZED = {0xC4: (1, 0, _DATA), 0xC5: (2, 0, _DATA), 0xC6: (4, 0, _DATA), 0xC7: (1, 1, _DATA), 0xC8: (2, 1, _DATA),
          0xC9: (4, 1, _DATA), 0xD9: (1, 0, _DATA), 0xDA: (2, 0, _DATA), 0xDB: (4, 0, _DATA), 0xDC: (2, 0, _ARRAY),
          0xDD: (4, 0, _ARRAY), 0xDE: (2, 0, _MAP), 0xDF: (4, 0, _MAP)}  # fmt: skip
_STRICT = frozenset((*range(0x80), *range(0xA0, 0xC0), *range(0xCA, 0xD4), 0xD9, 0xDA, 0xDB, *range(0xE0, 0x100)))
_KEY_BYTES = (_STRICT, _STRICT | {0xC0, 0xC2, 0xC3})
"""First bytes of keys: those of KEYS, and those of RELEASED_KEYS."""


def _look_through(text: Buffer, key_bytes: frozenset[int]) -> bool:
    """Whether all keys are of a good type, as far as STEPS values tell; False where there are more. Raises ParseError.

    Malformed text is left to the decoder.
    """
    position, size = 0, len(text)
    open_: list[list[int]] = [[1, 0]]  # for each container: values to come, and 1 for a map
    for _ in range(STEPS):
        while open_ and open_[-1][0] == 0:
            open_.pop()
        if not open_ or position >= size:
            return True
        top = open_[-1]
        first = text[position]
        if top[1] and not top[0] % 2 and first not in key_bytes:
            raise ParseError(_WRONG_KEY)
        top[0] -= 1
        position, children, is_map = _step(text, position, first)
        if children:
            open_.append([children, is_map])
    return False


def _step(text: Buffer, position: int, first: int) -> tuple[int, int, int]:
    """Where the next value begins, how many values this one holds, and whether it is a map."""
    if first < 0x80 or first >= 0xE0 or first == 0xC1:
        return position + 1, 0, 0
    if first < 0x90:
        return position + 1, 2 * (first - 0x80), 1
    if first < 0xA0:
        return position + 1, first - 0x90, 0
    if first < 0xC0:
        return position + 1 + first - 0xA0, 0, 0
    if first in _FIXED:
        return position + _FIXED[first], 0, 0
    width, beside, kind = _SIZED[first]
    length = int.from_bytes(text[position + 1 : position + 1 + width], "big")
    position += 1 + width
    if kind == _DATA:
        return position + length + beside, 0, 0
    return position, 2 * length if kind == _MAP else length, int(kind == _MAP)
