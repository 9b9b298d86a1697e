"""Connections: what carries a session's frames in and out. One package per engine.

Each backend of the released API makes a server from a configuration.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

_BACKENDS = ("aiohttp", "generic", "jupyter", "tornado")


def create_webserver(server_config: dict[str, Any], backend: str = "aiohttp") -> Any:
    """A server of the backend (an AbstractWebApp), not started yet.

    Raises:
        Exception: if there is no such backend.
    """
    return _module(backend).create_webserver(server_config)


def launcher_start(args: Any, config: dict[str, Any], backend: str = "aiohttp") -> Any:
    """Run the backend's launcher until it ends.

    Raises:
        Exception: if there is no such backend.
        NotImplementedError: if it has no launcher.
    """
    return _module(backend).startWebServer(args, config)


def _module(backend: str) -> Any:
    if backend not in _BACKENDS:
        raise Exception(f"{backend} backend is not implemented; backends: {', '.join(_BACKENDS)}")
    # Software replaces the released path by a module of its own. The path itself loads all of aiohttp.
    return sys.modules.get(f"wslink.backends.{backend}") or importlib.import_module(f"wslink.compat.{backend}")
