"""Settings in environment variables. Read when a server is created, never at import."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wslink.errors import UsageError
from wslink.wire.limits import Limits

_LIMITS = ("max_msg_size", "msg_overhead", "auth_msg_size")
MIN_MSG_SIZE = 64


def parse(name: str, text: str, kind: type) -> Any:
    """The value of the variable `name`, as `kind`: bool, str, int or float.

    Raises:
        UsageError: naming the variable, if a number is needed and `text` is none.
    """
    if kind is bool:
        return text.strip().lower() not in ("0", "false", "no", "off")
    if kind is str:
        return text
    try:
        number = float(text)
        return int(number) if kind is int else number
    except (ValueError, OverflowError):
        raise UsageError(f"{name} is {text!r}: a number is needed") from None


def read(name: str, kind: type, default: Any, environment: Mapping[str, str] | None = None) -> Any:
    """The variable `name` as `kind`, or `default` where it is unset or empty. Raises UsageError."""
    text = (os.environ if environment is None else environment).get(name)
    return parse(name, text, kind) if text else default


def limits(environment: Mapping[str, str] | None = None) -> Limits:
    """The limits, with those that have an environment variable read from it. Raises UsageError."""
    defaults = Limits()
    chosen = {name: read(f"WSLINK_{name.upper()}", int, getattr(defaults, name), environment) for name in _LIMITS}
    if chosen["max_msg_size"] < MIN_MSG_SIZE:
        raise UsageError(f"WSLINK_MAX_MSG_SIZE is {chosen['max_msg_size']}: at least {MIN_MSG_SIZE} bytes")
    return dataclasses.replace(defaults, **chosen)


def limits_with(max_msg_size: int, msg_overhead: int) -> Limits:
    """The limits, with these two given. Raises UsageError."""
    return dataclasses.replace(limits(), max_msg_size=max_msg_size, msg_overhead=msg_overhead)


def origins() -> tuple[str, ...]:
    """The pages that WSLINK_ORIGINS lets connect, beside those of the server's own origin."""
    return split_origins(os.environ.get("WSLINK_ORIGINS", ""))


def split_origins(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def read_headers(path: str) -> dict[str, str]:
    """The response headers in a JSON file; {} if `path` is empty.

    Raises:
        UsageError: if it cannot be read or is not a map from strings to strings.
    """
    if not path:
        return {}
    try:
        headers = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"http headers: {path}: {error}") from error
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise UsageError(f"http headers: {path} must hold a JSON object whose values are strings")
    return headers
