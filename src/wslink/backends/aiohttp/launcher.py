"""Where released wslink has the launcher's aiohttp part. It is in `wslink.launcher`, a layer above."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module("wslink.launcher"), name)


def startWebServer(options: Any, config: dict[str, Any]) -> None:
    """Run the launcher until it is interrupted."""
    importlib.import_module("wslink.launcher").startWebServer(options, config)
