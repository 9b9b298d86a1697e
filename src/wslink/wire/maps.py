"""The keys of maps and the number of values in a message (MSG-8, LIM-13), checked before any objects are created.

Python decodes arrays that are keys to tuples, whose hash is not randomized: a map of chosen keys would take quadratic
time. JavaScript clients cannot represent such maps at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from wslink.errors import LimitExceeded, ParseError
from wslink.wire.frames import Buffer
from wslink.wire.show import explained
from wslink.wire.value import Value

SMALL = 4096
"""Messages of at most so many bytes are decoded first and checked after: no map in them can take long."""
LONG_RUN = 16
"""Values of a list from which they are looked at together, should they be numbers of one size."""
STEPS = 256
"""Values up to which a message is looked through here, which is the fastest where a few large ones fill it."""

KEYS: frozenset[type] = frozenset((str, int, float, bool, type(None)))
"""Types of keys that every peer can hold: text, numbers and constants, of which JavaScript makes text as JSON does."""
WRONG_KEY = "a key of a map must be a string, a number, a boolean or null"


def check_decoded(values: Iterable[Value]) -> None:
    """Check the maps of a message that was already decoded. Raises ParseError."""
    stack: list[Value] = [values]
    while stack:
        node = stack.pop()
        if type(node) is dict:
            if not KEYS.issuperset(map(type, node)):
                raise ParseError(WRONG_KEY)
            node = node.values()
        for item in node:
            kind = type(item)
            if kind is dict or kind is list:
                stack.append(item)


def check_packed(text: Buffer, max_elements: int) -> None:
    """Check the maps and the number of values of a MessagePack message.

    Args:
        text: the message.
        max_elements: the most values in it.

    Raises:
        ParseError: a key has a type other than KEYS, or the text is not MessagePack.
        LimitExceeded: there are more than `max_elements` values (LIM-13).
    """
    if _look_through(text):
        return
    import msgpack  # which is seldom needed

    count = _Count(max_elements)
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
        raise ParseError(f"malformed MessagePack: {explained(error) or type(error).__name__}") from error


_NO_KEY = ()
"""What stands for a list, a map or an extension while a message is looked through: of a type that is no key's."""


def _no_key(code: int, data: bytes) -> Value:
    return _NO_KEY


class _Count:
    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit

    def pairs(self, pairs: list[tuple[Value, Value]]) -> Value:
        if not KEYS.issuperset([type(key) for key, _ in pairs]):
            raise ParseError(WRONG_KEY)
        return self.items(pairs)

    def items(self, items: list[Value]) -> Value:
        self._left -= len(items)
        if self._left < 0:
            raise self.excess()
        return _NO_KEY

    def excess(self) -> LimitExceeded:
        return LimitExceeded(f"over max_elements ({self._limit}) values are in one message")


# What follows a first byte: (bytes of its length, bytes beside what the length counts, kind).
_SCALAR, _DATA, _ARRAY, _MAP = range(4)
_FIXED = {0xC0: 1, 0xC2: 1, 0xC3: 1, 0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5,
          0xD3: 9, 0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}  # fmt: skip
_SIZED = {0xC4: (1, 0, _DATA), 0xC5: (2, 0, _DATA), 0xC6: (4, 0, _DATA), 0xC7: (1, 1, _DATA), 0xC8: (2, 1, _DATA),
          0xC9: (4, 1, _DATA), 0xD9: (1, 0, _DATA), 0xDA: (2, 0, _DATA), 0xDB: (4, 0, _DATA), 0xDC: (2, 0, _ARRAY),
          0xDD: (4, 0, _ARRAY), 0xDE: (2, 0, _MAP), 0xDF: (4, 0, _MAP)}  # fmt: skip
_KEY_BYTES = frozenset((*range(0x80), *range(0xA0, 0xC0), 0xC0, 0xC2, 0xC3, *range(0xCA, 0xD4), 0xD9, 0xDA, 0xDB,
                        *range(0xE0, 0x100)))  # fmt: skip


def _look_through(text: Buffer) -> bool:
    """Whether all keys have a valid type, as far as STEPS values show; False if there are more. Raises ParseError.

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
        if top[1] and not top[0] % 2 and first not in _KEY_BYTES:
            raise ParseError(WRONG_KEY)
        if not top[1] and top[0] > LONG_RUN and _is_run(text, position, first, top[0]):
            position += top[0] * _FIXED[first]
            top[0] = 0
            continue
        top[0] -= 1
        position, children, is_map = _step(text, position, first)
        if children:
            open_.append([children, is_map])
    return False


def _is_run(text: Buffer, position: int, first: int, count: int) -> bool:
    """Whether the next `count` values are numbers of one size, as in a list of floats."""
    size = _FIXED.get(first)
    if size is None or position + count * size > len(text):
        return False
    return bytes(text[position : position + count * size : size]).count(first) == count


def _step(text: Buffer, position: int, first: int) -> tuple[int, int, int]:
    """Return where the next value begins, how many values this one contains, and whether it is a map."""
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


def find_large(text: Buffer, least: int) -> tuple[int, int] | None:
    """Return where the first binary value (`bin 32`) of at least `least` bytes begins and ends, in a message that
    begins with `text`; None if none begins there within the first STEPS values."""
    position, size = 0, len(text)
    for _ in range(STEPS):
        if position + 5 > size:
            return None
        first = text[position]
        if first == 0xC6:
            length = int.from_bytes(text[position + 1 : position + 5], "big")
            if length >= least:
                return position + 5, position + 5 + length
        position, _, _ = _step(text, position, first)
    return None
