"""Values in one line, or as JSON, with short descriptions of arrays and bytes."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Any

from wslink.wire.arrays import RawArray, is_array
from wslink.wire.depth import MAX_DEPTH
from wslink.wire.plain import to_plain
from wslink.wire.value import Value

STACK = 16 * MAX_DEPTH
"""Nested Python calls that writing the deepest value as JSON takes."""
MAX_TEXT = 200
MAX_ITEMS = 8
MAX_LEVELS = 4
MAX_LINE = 2000
"""Characters of a text, items and levels that a line shows of a value, and its characters in all."""


def size(count: float) -> str:
    """A number of bytes in words."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def weight(value: Value) -> int:
    """The approximate size of a value when sent."""
    total, waiting = 0, deque([value])
    while waiting:
        one = waiting.popleft()
        total += _own_weight(one)
        if isinstance(one, dict):
            waiting.extend(one)
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
    return total


def _own_weight(value: Value) -> int:
    """The same, without the values that it contains."""
    if is_array(value):
        return int(value.nbytes)
    if isinstance(value, RawArray):
        return value.data.nbytes
    if isinstance(value, (bytes, bytearray, memoryview)):
        return len(value)
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass")) + 1
    if value is None or isinstance(value, (bool, dict, list, tuple)):
        return 1
    return 9 if isinstance(value, float) else 5


def array(value: Value) -> str:
    """A description of an array: dtype, shape, size, and the range of its numbers."""
    dtype = value.dtype if isinstance(value.dtype, str) else value.dtype.str
    said = f"{dtype} {list(value.shape)} {size(weight(value))}"
    if not is_array(value) or value.size == 0 or value.dtype.kind not in "iufb":
        return f"<{said}>"
    low, high = value.min(), value.max()
    mean = value.mean(dtype="f8")
    return f"<{said}, {_number(low)} to {_number(high)}, mean {_number(mean)}>"


def _number(value: Any) -> str:
    plain = float(value)
    return f"{plain:.4g}" if math.isfinite(plain) else str(plain)


def line(value: Value) -> str:
    """A value in one line."""
    text = _line(value, MAX_LEVELS)
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}... {len(text)} characters"


def _line(value: Value, levels: int) -> str:
    if is_array(value) or isinstance(value, RawArray):
        return array(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{size(len(value))} of bytes>"
    if isinstance(value, (dict, list, tuple)) and value and not levels:
        return "{...}" if isinstance(value, dict) else "[...]"
    if isinstance(value, dict):
        inner = [f"{_key(key)}: {_line(one, levels - 1)}" for key, one in islice(value.items(), MAX_ITEMS)]
        return "{" + ", ".join(inner + (["..."] if len(value) > MAX_ITEMS else [])) + "}"
    if isinstance(value, (list, tuple)):
        inner = [_line(one, levels - 1) for one in value[:MAX_ITEMS]]
        return "[" + ", ".join(inner + ([f"... {len(value)} in all"] if len(value) > MAX_ITEMS else [])) + "]"
    return _short(json.dumps(value, ensure_ascii=False, default=str))


def _key(key: Value) -> str:
    """A key as it is if it is a word, and as JSON otherwise."""
    text = str(key)
    return _short(text if text.isprintable() else json.dumps(text, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... {len(text)} characters"


def as_json(value: Value) -> str:
    """A value as JSON for other programs: complete, except for arrays, bytes, and numbers that JSON does not have,
    which become text: "NaN", "Infinity", "-Infinity"."""
    with _room():
        return json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False)


def as_line(value: Value) -> str:
    """Like `as_json`, in one line."""
    with _room():
        return json.dumps(_plain(value), ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def _room() -> Iterator[None]:
    """Raise the recursion limit for a value of the maximum depth (MSG-8)."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _plain(value: Value) -> Value:
    if is_array(value) or isinstance(value, RawArray):
        return array(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{size(len(value))} of bytes>"
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(to_plain(value))
