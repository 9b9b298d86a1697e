"""The event loop that `App.run` runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from wslink.errors import UsageError

LOOPS = ("asyncio", "uvloop")


def run(main: Coroutine[Any, Any, None], loop: str) -> None:
    """Run `main` on a new event loop: "asyncio" or "uvloop".

    Raises:
        UsageError: for another name, and where uvloop is not installed.
    """
    try:
        if loop == "asyncio":
            asyncio.run(main)
        elif loop == "uvloop":
            _uvloop().run(main)
        else:
            raise UsageError(f"loop is {loop!r}; there are: {', '.join(LOOPS)}")
    finally:
        main.close()


def _uvloop() -> Any:
    try:
        import uvloop
    except ImportError as error:
        raise UsageError('loop is "uvloop", which is not installed: pip install "wslink[uvloop]"') from error
    return uvloop
