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

from wslink.launcher.configuration import Settings

logger: logging.Logger = logging.getLogger("wslink.launcher")

INTERVAL, QUICK = 0.1, 0.02
"""Seconds between two looks at the sizes; the second while a session writes so much that one had to be cut."""
PURGE_INTERVAL = 60.0
"""Seconds between two looks at which logs are old."""
MOST_KEPT = 1000
"""Logs of sessions that have ended, at most; the oldest go first."""
_NAME = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}([.][1-9][0-9]*)?[.]txt")
_CUT = b"[the launcher has left out %d bytes here: log_limit]\n"


class Logs:
    """Bounds the logs in a directory.

    Args:
        settings: `log_dir`, where they are, named by the ids of sessions; `log_limit`, `log_parts` and `keep_logs`.
        current: the ids of the sessions that there are.
    """

    def __init__(self, settings: Settings, current: Callable[[], Collection[str]]) -> None:
        self._directory = Path(settings.log_dir)
        self._current = current
        self.change(settings)

    def change(self, settings: Settings) -> None:
        """Keep to other bounds from now on. The directory stays."""
        self._limit, self._parts, self._keep = settings.log_limit, settings.log_parts, settings.keep_logs

    async def watch(self) -> None:
        """Keep to the bounds until cancelled. The file system may be slow: it is asked in a thread."""
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
        """Remove the log of a session that has ended, where none are kept."""
        if not self._keep:
            log = self._directory / f"{session_id}.txt"
            for path in (log, *(part_of(log, number) for number in range(1, self._parts + 1))):
                _remove(path)

    def _bound(self, current: frozenset[str]) -> bool:
        """Cut the logs that are too long; whether there was one."""
        cut = False
        for session_id in current:
            with contextlib.suppress(OSError):
                path = self._directory / f"{session_id}.txt"
                if path.stat().st_size > self._limit:
                    rotate(path, self._limit, self._parts)
                    cut = True
        return cut

    def _purge(self) -> None:
        """Remove logs that are old, or too many. Only what is named as a log is.

        A session is known before it has a log, so one that starts meanwhile is found among the current ones: they are
        asked for with each log, not before.
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
    """Remove a log, and what it leads to where the spawner has given the file a name of its own."""
    with contextlib.suppress(OSError):
        file = path.resolve()
        path.unlink()
        if file.parent == path.parent.resolve():
            file.unlink(missing_ok=True)


def cut_log(path: Path, keep: int, part: Path | None = None, most: int = 0) -> None:
    """Shorten a log in place to its last `keep` bytes, from the begin of a line. Its writers append, and go on at the
    new end; what they write meanwhile may be lost.

    Args:
        path: the log.
        keep: bytes that stay in it.
        part: a file that gets what is left out; nothing does unless given.
        most: bytes of that file, at most; of more, the end.
    """
    with open(os.open(path, os.O_RDWR | os.O_APPEND), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - keep))
        line = file.read(keep).find(b"\n") + 1
        cut = start + line if start + line < size else start
        if part is not None:
            file.seek(max(0, cut - most))
            _write_private(part, file.read(min(most, cut)))
        file.seek(cut)
        kept = _CUT % cut + file.read(keep)
        os.ftruncate(file.fileno(), 0)
        file.write(kept)  # at once: writers do not wait


def part_of(path: Path, number: int) -> Path:
    """The file that holds an older part of a log; 1 is the newest."""
    return path.with_suffix(f".{number}{path.suffix}")


def rotate(path: Path, limit: int, parts: int) -> None:
    """Halve a log that is longer than `limit` bytes, and keep what is left out in the first of its parts, which become
    `parts` at most: the oldest goes."""
    for number in range(parts - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            part_of(path, number).replace(part_of(path, number + 1))
    cut_log(path, limit // 2, part_of(path, 1) if parts else None, limit)


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
