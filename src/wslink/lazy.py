"""Names that are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

_COMPAT = {
    "wslink.server": "add_arguments create_webserver get_port start start_webserver stop_webserver "
    "ws_server backends wsl",
    "wslink.launcher": "logger STATUS_BAD_REQUEST STATUS_NOT_FOUND STATUS_OK STATUS_SERVICE_UNAVAILABLE "
    "LauncherResource ProcessManager ProxyMappingManager ProxyMappingManagerTXT ResourceManager SessionManager "
    "add_arguments checkSanitize extractSessionId filterResponse generatePassword jsonResponse parseConfig "
    "remove_comments "
    "replaceList replaceVariables sample_config_file start startWebServer validateKeySet",
    "wslink.relay": "main WsHandler",
}
"""What the released API has in packages that hold other things now."""


def compat(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: the names that the released API has there, out of `wslink.compat`."""
    names = _COMPAT[package].split()

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(package.replace("wslink.", "wslink.compat.")), name)

    return find
