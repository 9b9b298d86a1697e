"""An event loop in which time passes only when nothing else is left to do, and then at once."""

from __future__ import annotations

import asyncio
import selectors
import sys
import time
from typing import Any


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Waits for nothing: what it would wait for passes."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout is not None:
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """`monotonic` of all loaded modules of wslink goes by it until it is closed."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)
        self._patched: list[Any] = []
        for name, module in list(sys.modules.items()):
            if name.startswith("wslink.") and getattr(module, "monotonic", None) is time.monotonic:
                module.monotonic = self.time  # type: ignore[attr-defined]
                self._patched.append(module)

    def time(self) -> float:
        return 1000.0 + self._virtual.passed

    def close(self) -> None:
        for module in self._patched:
            module.monotonic = time.monotonic
        super().close()
