"""The logs of sessions: each has a bound, and they go some time after their sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

logger: logging.Logger = logging.getLogger("wslink.launcher")

INTERVAL, QUICK = 0.1, 0.02
"""Seconds between two looks at the sizes; the second while a session writes so much that one had to be cut."""
PURGE_INTERVAL = 60.0
"""Seconds between two looks at which logs are old."""
MOST_KEPT = 1000
"""Logs of sessions that have ended, at most; the oldest go first."""
_NAME = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}[.]txt")
_CUT = b"[the launcher has left out %d bytes here: log_limit]\n"


class Logs:
    """Bounds the logs in a directory.

    Args:
        directory: where they are, named by the ids of sessions.
        limit: bytes of one log; of a longer one, the end is kept. 0 for no bound.
        keep: seconds that a log stays after its session has written for the last time.
        current: the ids of the sessions that there are.
    """

    def __init__(self, directory: Path, limit: int, keep: float, current: Callable[[], Collection[str]]) -> None:
        self._directory = directory
        self._limit = limit
        self._keep = keep
        self._current = current

    async def watch(self) -> None:
        """Keep to the bounds until cancelled. The file system may be slow: it is asked in a thread."""
        purged = 0.0
        while True:
            current = frozenset(self._current())
            try:
                cut = await asyncio.to_thread(self._bound, current) if self._limit and current else False
                if time.monotonic() - purged > PURGE_INTERVAL:
                    purged = time.monotonic()
                    await asyncio.to_thread(self._purge, current)
            except Exception:
                logger.exception("logs could not be bounded")
                cut = False
            await asyncio.sleep(QUICK if cut else INTERVAL)

    def ended(self, session_id: str) -> None:
        """Remove the log of a session that has ended, where none are kept."""
        if not self._keep:
            _remove(self._directory / f"{session_id}.txt")

    def _bound(self, current: frozenset[str]) -> bool:
        """Cut the logs that are too long; whether there was one."""
        cut = False
        for session_id in current:
            with contextlib.suppress(OSError):
                path = self._directory / f"{session_id}.txt"
                if path.stat().st_size > self._limit:
                    cut_log(path, self._limit // 2)
                    cut = True
        return cut

    def _purge(self, current: frozenset[str]) -> None:
        """Remove logs that are old, or too many. Only what is named as a log is."""
        found = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name) and entry.name[:-4] not in current:
                    with contextlib.suppress(OSError):
                        found.append((entry.stat().st_mtime, entry.path))
        oldest, surplus = time.time() - self._keep, len(found) - MOST_KEPT
        for index, (written, path) in enumerate(sorted(found)):
            if written < oldest or index < surplus:
                _remove(Path(path))


def _remove(path: Path) -> None:
    """Remove a log, and what it leads to where the spawner has given the file a name of its own."""
    with contextlib.suppress(OSError):
        file = path.resolve()
        path.unlink()
        if file.parent == path.parent.resolve():
            file.unlink(missing_ok=True)


def cut_log(path: Path, keep: int) -> None:
    """Shorten a log in place to its last `keep` bytes, from the begin of a line. Its writers append, and go on at the
    new end; what they write meanwhile may be lost."""
    with open(path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - keep))
        end = file.read(keep)
        file.truncate(0)
    whole = end.partition(b"\n")[2] or end
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(descriptor, _CUT % (size - len(whole)) + whole)
    finally:
        os.close(descriptor)
