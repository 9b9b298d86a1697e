"""What is imported on first use."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from types import ModuleType
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


def load(name: str) -> ModuleType:
    """Import a module with all that it needs, and look for no garbage meanwhile: a server's start makes none to speak
    of, and would spend a seventh of its time on looking. What it has made counts as old then: it is there to stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if enabled:
            if not gc.get_freeze_count():  # the application has not frozen what it has, which would be undone
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def compat(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: the names that the released API has there, out of `wslink.compat`."""
    names = _COMPAT[package].split()

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(load(package.replace("wslink.", "wslink.compat.")), name)

    return find
