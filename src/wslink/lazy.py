"""Imports on first use."""

from __future__ import annotations

import gc
import importlib
import os
import threading
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
"""Names of the released API in packages that have other contents now."""


def load(name: str) -> ModuleType:
    """Import a module with its dependencies, without garbage collections: they would take a twelfth of a server's start
    (12 of 145 ms) and find nothing. The imported objects count as old afterwards, since they stay. Other threads go
    without collections meanwhile, for the fraction of a second that it takes."""
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


FORK_PATIENCE = 5.0
"""Seconds for which a fork waits for an import in a thread."""

_importing = threading.RLock()
_forking = threading.local()


def load_in_thread(name: str) -> ModuleType:
    """`load` in a thread of this package's own. A fork waits for it: the new process would have the locks of the
    modules that are being imported without the thread that releases them, and would hang where it imports one."""
    with _importing:
        return load(name)


def _before_fork() -> None:
    _forking.waited = _importing.acquire(timeout=FORK_PATIENCE)


def _after_fork() -> None:
    if _forking.waited:
        _importing.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def compat(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of `package`: the names that the released API has there, out of `wslink.compat`."""
    names = _COMPAT[package].split()

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(load(package.replace("wslink.", "wslink.compat.")), name)

    return find
