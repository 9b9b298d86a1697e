"""Values of a peer in messages and logs: cut short, so that little input never becomes much text."""

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
    """`value` as text that can be sent: halves of surrogate pairs are escaped."""
    return str(value).encode(errors="backslashreplace").decode()


def shown(value: Value) -> str:
    """`value` as a short `repr`. Never raises, however deep or large it is."""
    try:
        text = _short.repr(value)
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def explained(error: Exception | str) -> str:
    """What `error` says, without its middle if that is long: what is wrong stands first, and the place last."""
    text = str(error)
    if len(text) <= MAX_EXPLAINED:
        return text
    half = MAX_EXPLAINED // 2
    return f"{text[:half]} ... {text[5 - half :]}"
