"""A watch over an event loop, which names the line that blocks it: for debug mode."""

from __future__ import annotations

import asyncio
import linecache
import logging
import sys
import sysconfig
import threading
import time
from types import FrameType

logger: logging.Logger = logging.getLogger("wslink")

PATIENCE = 1.0
"""Seconds without a turn after which an event loop counts as blocked."""

PAUSE = 0.25
"""Seconds between two looks at an event loop that is not blocked."""

BLOCKED = (
    "the event loop has been blocked for %.1f s, and no client is served meanwhile, at %s. Give a method that blocks "
    "thread=True, or await asyncio.to_thread(...) in it; with application_thread=True clients are served in any case"
)


class LoopWatch:
    """Logs a warning when an event loop has had no turn for PATIENCE seconds, and what its thread is doing.

    It looks from a thread of its own, until `stop` is called or the event loop is closed.

    Args:
        loop: the event loop.
        thread: the identifier of its thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: int) -> None:
        self._loop = loop
        self._thread = thread
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="wslink-loop-watch", daemon=True).start()

    def stop(self) -> None:
        """Stop watching. Safe to call more than once, from any thread."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(PAUSE):
            turned = threading.Event()
            try:
                self._loop.call_soon_threadsafe(turned.set)
            except RuntimeError:  # it is closed
                return
            if not turned.wait(PATIENCE):
                self._blocked(turned, time.monotonic() - PATIENCE)

    def _blocked(self, turned: threading.Event, since: float) -> None:
        warned = False
        while not self._stopped.is_set() and not self._loop.is_closed():
            if not warned and self._loop.is_running() and (frame := sys._current_frames().get(self._thread)):
                logger.warning(BLOCKED, time.monotonic() - since, _place(frame))
                warned = True
            if turned.wait(PAUSE):
                break
        if warned:
            logger.warning("the event loop was blocked for %.1f s", time.monotonic() - since)


def _place(frame: FrameType) -> str:
    """The innermost line of the application; of a library if there is none."""
    libraries = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))
    place: FrameType | None = frame
    while place is not None and place.f_code.co_filename.startswith((*libraries, "<frozen")):
        place = place.f_back
    place = place or frame
    file = place.f_code.co_filename
    line = linecache.getline(file, place.f_lineno).strip()
    return f"{file}, line {place.f_lineno}, in {place.f_code.co_name}" + (f": {line}" if line else "")
