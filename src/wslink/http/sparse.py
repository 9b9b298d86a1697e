"""Log messages that peers cause, at a limited rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LINES, SECONDS = 60, 60.0
"""Lines of one kind that are logged within so many seconds."""


class Sparse(logging.Filter):
    """Drops messages of a kind (with the same format string) that are logged too often. The first one of the next
    period says how many were dropped.

    Args:
        clock: returns seconds.
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
    """A logger for messages that peers cause."""
    logger = logging.getLogger(name)
    if not any(isinstance(one, Sparse) for one in logger.filters):
        logger.addFilter(Sparse())
    return logger
