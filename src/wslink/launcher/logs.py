"""The logs of sessions: their size is limited, and they are removed some time after their sessions have ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import time
from collections.abc import Callable, Collection
from pathlib import Path

from wslink.launcher.configuration import Settings
from wslink.launcher.cutting import part_of, rotate

logger: logging.Logger = logging.getLogger("wslink.launcher")

INTERVAL, QUICK = 0.1, 0.02
"""Seconds between two looks at the sizes; the second while a session writes so much that one had to be cut."""
PURGE_INTERVAL = 60.0
"""Seconds between two looks at which logs are old."""
MOST_KEPT = 1000
"""Logs of sessions that have ended, at most; the oldest go first."""
_NAME = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}([.][1-9][0-9]*)?[.]txt")


class Logs:
    """Limits the logs in a directory.

    Args:
        settings: `log_dir`, the directory with logs named by session ids; `log_limit`, `log_parts` and `keep_logs`.
        current: returns the ids of existing sessions.
    """

    def __init__(self, settings: Settings, current: Callable[[], Collection[str]]) -> None:
        self._directory = Path(settings.log_dir)
        self._current = current
        self.change(settings)

    def change(self, settings: Settings) -> None:
        """Use other limits from now on. The directory does not change."""
        self._limit, self._parts, self._keep = settings.log_limit, settings.log_parts, settings.keep_logs

    async def watch(self) -> None:
        """Enforce the limits until cancelled. The file system may be slow, so it is accessed in a thread."""
        purged = 0.0
        while True:
            current = frozenset(self._current())
            try:
                cut = await asyncio.to_thread(self._bound, current) if self._limit and current else False
                if time.monotonic() - purged > PURGE_INTERVAL:
                    purged = time.monotonic()
                    await asyncio.to_thread(self._purge)
            except Exception:
                logger.exception("logs could not be bounded")
                cut = False
            await asyncio.sleep(QUICK if cut else INTERVAL)

    def ended(self, session_id: str) -> None:
        """Remove the log of a session that has ended, if none are kept."""
        if not self._keep:
            log = self._directory / f"{session_id}.txt"
            for path in (log, *(part_of(log, number) for number in range(1, self._parts + 1))):
                _remove(path)

    def _bound(self, current: frozenset[str]) -> bool:
        """Truncate logs that are too long. Returns whether there were any."""
        cut = False
        for session_id in current:
            with contextlib.suppress(OSError):
                path = self._directory / f"{session_id}.txt"
                if path.stat().st_size > self._limit:
                    rotate(path, self._limit, self._parts)
                    cut = True
        return cut

    def _purge(self) -> None:
        """Remove logs that are old, or too many. Only files named like logs are removed.

        A session is known before it has a log. To find one that starts in the meantime, the current sessions are
        queried for each log rather than once.
        """
        found, current = [], self._current
        with os.scandir(self._directory) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name) and entry.name.partition(".")[0] not in current():
                    with contextlib.suppress(OSError):
                        found.append((entry.stat().st_mtime, entry.path))
        oldest, surplus = time.time() - self._keep, len(found) - MOST_KEPT
        for index, (written, path) in enumerate(sorted(found)):
            if written < oldest or index < surplus:
                _remove(Path(path))


def _remove(path: Path) -> None:
    """Remove a log, and the file that it links to if the spawner has named that itself."""
    with contextlib.suppress(OSError):
        file = path.resolve()
        path.unlink()
        if file.parent == path.parent.resolve():
            file.unlink(missing_ok=True)
