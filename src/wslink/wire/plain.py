"""Values that the encoders do not know, as values that they do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from wslink.errors import NotSerializable


def to_plain(value: Any) -> Any:
    """The plain form of `value`: NumPy scalars, subclasses of the built-in types and mappings.

    Raises:
        NotSerializable: for anything else, naming its type.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        item = value.item()
        if not isinstance(item, numpy.generic):  # a longdouble has no plain form
            return item
    bases: tuple[Callable[[Any], Any], ...] = (str, int, float, bytes, bytearray, list, tuple)
    for base in bases:
        if isinstance(value, base):  # type: ignore[arg-type]
            return base(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise NotSerializable(f"a value of type {type(value).__name__} cannot be sent")
