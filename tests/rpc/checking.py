"""Values held against type hints, without a method around them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wslink.rpc.arrays import NO_LENGTHS, dims
from wslink.rpc.converters import convert
from wslink.rpc.hints import checkable


def checked(value: Any, hint: Any) -> Any:
    """What a value becomes. Raises msgspec.ValidationError."""
    dims.known = NO_LENGTHS
    return convert(value, checkable(hint))


def told(value: Any, hint: Any) -> str:
    """What is said of a value that is refused."""
    with pytest.raises(msgspec.ValidationError) as caught:
        checked(value, hint)
    return str(caught.value)
