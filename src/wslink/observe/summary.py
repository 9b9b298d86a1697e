"""Values for people: cut short in depth, width and length, with descriptions of arrays and bytes."""

from __future__ import annotations

import dataclasses
import json
from itertools import islice

import msgspec

from wslink.wire.arrays import RawArray, is_array
from wslink.wire.plain import to_plain
from wslink.wire.show import as_text
from wslink.wire.value import Value

MAX_TEXT = 120
"""Characters of a line."""
MAX_ITEMS, MAX_LEVELS = 4, 3
"""Items of each list and map, and levels of nesting, that a line shows."""
MAX_COUNTED = 64
"""Values whose sizes are added up for one line; the rest of a larger one is reckoned by these."""
MAX_RESULT = 200_000
"""Characters of a result that are shown whole."""
_BYTES = (bytes, bytearray, memoryview)


def line(value: Value) -> str:
    """The beginning of a value, in at most MAX_TEXT characters. Never raises."""
    text = as_text(_line(value, MAX_LEVELS))
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _line(value: Value, levels: int) -> str:
    if isinstance(value, str):
        shown = json.dumps(value[:MAX_TEXT], ensure_ascii=False)
        return shown if len(value) <= MAX_TEXT else f"{shown}…"
    if value is None or isinstance(value, (bool, float)):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value) if value.bit_length() < 128 else f"<integer of {value.bit_length()} bits>"
    if isinstance(value, (list, tuple)):
        if not levels:
            return f"[{len(value)} items]"
        more = ["…"] if len(value) > MAX_ITEMS else []
        return f"[{', '.join([_line(one, levels - 1) for one in value[:MAX_ITEMS]] + more)}]"
    if isinstance(value, dict):
        if not levels:
            return f"{{{len(value)} entries}}"
        first = [f"{key!s:.40}: {_line(inner, levels - 1)}" for key, inner in islice(value.items(), MAX_ITEMS)]
        return f"{{{', '.join(first + (['…'] if len(value) > MAX_ITEMS else []))}}}"
    return blob(value) or f"<{type(value).__name__}>"


def blob(value: Value) -> str:
    """A description of an array or bytes; "" for anything else."""
    if isinstance(value, _BYTES):
        return f"<{weight(value)} bytes>"
    if is_array(value) or isinstance(value, RawArray):
        dtype = value.dtype if isinstance(value.dtype, str) else value.dtype.str
        return f"<array {dtype} {list(value.shape)}, {weight(value)} bytes>"
    return ""


def weight(value: Value) -> int:
    """The approximate size of a value when sent. Of large collections only a part is examined."""
    total, seen, waiting = 0, 0, [value]
    while waiting and seen < MAX_COUNTED:
        one = waiting.pop()
        seen += 1
        if isinstance(one, str):
            total += len(one) + 1
        elif isinstance(one, memoryview) or is_array(one):
            total += int(one.nbytes)
        elif isinstance(one, (bytes, bytearray)):
            total += len(one)
        elif isinstance(one, RawArray):
            total += one.data.nbytes
        elif isinstance(one, dict):
            total += 1 + sum(len(str(key)) + 1 for key in islice(one, MAX_COUNTED))
            waiting.extend(islice(one.values(), MAX_COUNTED))
        elif isinstance(one, (list, tuple)):
            total += 1 + max(len(one) - MAX_COUNTED, 0)
            waiting.extend(one[:MAX_COUNTED])
        else:
            total += 9 if isinstance(one, float) else 1 if one is None or isinstance(one, bool) else 5
    return total + len(waiting)


def whole(value: Value) -> str:
    """A value as JSON with descriptions of arrays and bytes, in at most MAX_RESULT characters.

    Raises:
        NotSerializable: the message names the type that cannot be encoded.
    """
    text = as_text(json.dumps(_plain(value), ensure_ascii=False, indent=2, default=_plainer))
    return text if len(text) <= MAX_RESULT else f"{text[:MAX_RESULT]}…\n({len(text)} characters in all)"


def _plain(value: Value) -> Value:
    """Convert the keys of maps: `json` does not support all types."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _plainer(value: Value) -> Value:
    return blob(value) or _plain(_shown(value))


def _shown(value: Value) -> Value:
    """Convert a value that JSON does not support like the encoders do; types with a representation of their own become
    text."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, msgspec.Struct):
        return msgspec.structs.asdict(value)
    try:
        return msgspec.to_builtins(value, enc_hook=to_plain)
    except (TypeError, ValueError):
        return str(to_plain(value))
