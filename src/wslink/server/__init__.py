"""The server of an application: HTTP, options, static files, TLS, signals, command line.

The functions of the released API's `wslink.server` are here as well, imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wslink.server.released import (
        add_arguments,
        create_webserver,
        get_port,
        start,
        start_webserver,
        stop_webserver,
    )

__all__ = ["add_arguments", "create_webserver", "get_port", "start", "start_webserver", "stop_webserver", "ws_server"]

ws_server: Any = None
"""The server that `start_webserver` made last."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.released"), name)
