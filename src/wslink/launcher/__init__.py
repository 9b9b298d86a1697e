"""Sessions on request: one process per user, started, watched and ended.

The names that released wslink has here are in `released`, and imported on first use.
"""

from __future__ import annotations

import importlib
from typing import Any

_RELEASED = frozenset(
    [
        "STATUS_BAD_REQUEST",
        "STATUS_NOT_FOUND",
        "STATUS_OK",
        "STATUS_SERVICE_UNAVAILABLE",
        "LauncherResource",
        "ProcessManager",
        "ProxyMappingManager",
        "ProxyMappingManagerTXT",
        "ResourceManager",
        "SessionManager",
        "add_arguments",
        "checkSanitize",
        "extractSessionId",
        "filterResponse",
        "generatePassword",
        "jsonResponse",
        "parseConfig",
        "remove_comments",
        "replaceList",
        "replaceVariables",
        "sample_config_file",
        "start",
        "startWebServer",
        "validateKeySet",
    ]
)


def __getattr__(name: str) -> Any:
    if name not in _RELEASED:
        raise AttributeError(f"module 'wslink.launcher' has no attribute {name!r}")
    return getattr(importlib.import_module("wslink.launcher.released"), name)
