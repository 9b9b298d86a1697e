"""Log lines that peers cause: as many as tell something."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LINES, SECONDS = 60, 60.0
"""Lines of one kind that are logged within so many seconds."""


class Sparse(logging.Filter):
    """Leaves out lines of a kind, that is, of one text before its values stand in it, of which there were too many. The
    first of the next period says how many.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, kind = self._clock(), str(record.msg)
        since, count = self._kinds.get(kind, (now, 0))
        if now - since >= SECONDS:
            if count > LINES:
                record.msg, record.args = f"{record.getMessage()} ({count - LINES} more of that kind were left out)", ()
            since, count = now, 0
        self._kinds[kind] = since, count + 1
        return count < LINES


def sparse_logger(name: str) -> logging.Logger:
    """A logger whose lines peers cause."""
    logger = logging.getLogger(name)
    if not any(isinstance(one, Sparse) for one in logger.filters):
        logger.addFilter(Sparse())
    return logger
