"""Imports on first use."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
import sys
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
"""Names of the released API in packages whose contents have changed since."""


def load(name: str) -> ModuleType:
    """Import a module and its dependencies with garbage collection switched off.

    Collections would take a twelfth of a server's start (12 of 145 ms) and find nothing. The imported objects are moved
    to the oldest generation afterwards, since they stay. Other threads run without collections in the meantime, which
    takes a fraction of a second.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if enabled:
            if not gc.get_freeze_count():  # `unfreeze` would undo a freeze by the application
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def postpone(name: str) -> None:
    """Let modules of the package `name` be imported without running its `__init__`, which is run when a name of the
    package itself is used. For packages of which a few modules are needed, while `__init__` imports all of them. No
    effect if the package has been imported, or is not installed."""
    spec = importlib.util.find_spec(name) if name not in sys.modules else None
    if spec is None or spec.loader is None:
        return
    loader, package = spec.loader, importlib.util.module_from_spec(spec)
    guard = threading.RLock()
    running = False

    def find(attribute: str) -> Any:
        nonlocal running
        with guard:
            if not running and vars(package).get("__getattr__") is find:
                running = True
                try:
                    loader.exec_module(package)
                    del package.__getattr__
                finally:
                    running = False
        if attribute not in vars(package):
            raise AttributeError(f"module {name!r} has no attribute {attribute!r}")
        return vars(package)[attribute]

    package.__getattr__ = find  # type: ignore[method-assign]
    sys.modules[name] = package


FORK_PATIENCE = 5.0
"""Seconds that a fork waits for an import in another thread."""

_importing = threading.RLock()
_forking = threading.local()


def load_in_thread(name: str) -> ModuleType:
    """Like `load`, for threads of this package. A fork waits for it: otherwise the child would inherit import locks
    without the thread that releases them, and hang at its next import of those modules."""
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
    """Return the `__getattr__` of `package`, which finds the names that the released API has there in
    `wslink.compat`."""
    names = _COMPAT[package].split()

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(load(package.replace("wslink.", "wslink.compat.")), name)

    return find
