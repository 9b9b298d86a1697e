"""Where released wslink has the relay. It is in `wslink.relay`, a layer above."""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module("wslink.relay"), name)
