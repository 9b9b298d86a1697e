"""A server's limits, read from the environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from wslink.errors import UsageError
from wslink.settings import read
from wslink.wire.limits import LARGEST, MIN_MSG_SIZE, Limits


def limits(environment: Mapping[str, str] | None = None) -> Limits:
    """Read each limit from its environment variable, WSLINK_ and the limit's name, if that is set. Raises
    UsageError."""
    chosen: dict[str, Any] = {}
    for one in dataclasses.fields(Limits):
        name = f"WSLINK_{one.name.upper()}"
        chosen[one.name] = value = read(name, type(one.default), one.default, environment)
        least = MIN_MSG_SIZE if one.name == "max_msg_size" else 0
        if not least <= value < LARGEST:
            raise UsageError(f"{name} is {value}: at least {least}, and finite")
    return Limits(**chosen)


def limits_with(max_msg_size: int, msg_overhead: int) -> Limits:
    """Like `limits`, with these two values given. Raises UsageError."""
    return dataclasses.replace(limits(), max_msg_size=max_msg_size, msg_overhead=msg_overhead)
