"""The relay: carries WebSockets to servers that browsers cannot reach."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    """The names that released wslink has here, in `released`."""
    if name not in ("main", "WsHandler"):
        raise AttributeError(f"module 'wslink.relay' has no attribute {name!r}")
    return getattr(importlib.import_module("wslink.relay.released"), name)
