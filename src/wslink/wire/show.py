"""A peer's values in error messages and logs, cut short so that small input cannot cause large output."""

from __future__ import annotations

import reprlib

from wslink.wire.value import Value

MAX_SHOWN = 200
"""Characters of a value that are shown."""
MAX_EXPLAINED = 400
"""Characters of an error of a library about a peer's value, which may hold the value, or its place level by level."""

_short = reprlib.Repr()
_short.maxlevel, _short.maxstring, _short.maxother, _short.maxlong = 3, 80, 80, 40


def as_text(value: Value) -> str:
    """`value` as text that can be sent: unpaired surrogates are escaped."""
    return str(value).encode(errors="backslashreplace").decode()


def shown(value: Value) -> str:
    """A short `repr` of `value`. Never raises, however deep or large the value is."""
    try:
        text = _short.repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def explained(error: Exception | str) -> str:
    """The message of `error`, without its middle if it is long: the reason comes first, and the location last."""
    text = str(error)
    if len(text) <= MAX_EXPLAINED:
        return text
    half = MAX_EXPLAINED // 2
    return f"{text[:half]} ... {text[5 - half :]}"
