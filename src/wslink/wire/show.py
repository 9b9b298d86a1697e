"""Values of a peer in messages and logs: cut short, so that little input never becomes much text."""

from __future__ import annotations

import reprlib

from wslink.wire.value import Value

MAX_SHOWN = 200
"""Characters of a value that are shown."""

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
