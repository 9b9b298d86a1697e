"""aiohttp's log messages about requests."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError


def requests_logger() -> logging.Logger:
    """The logger for aiohttp: our errors with their traceback, and for what peers send, which could fill any log, one
    line at level DEBUG."""
    logger = logging.getLogger("wslink.http.requests")
    if _shorten not in logger.filters:
        logger.addFilter(_shorten)
    return logger


def _shorten(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (HttpProcessingError, ConnectionError, web.RequestPayloadError, asyncio.TimeoutError)):
        logging.getLogger("wslink.http").debug("%s: %.200r", record.getMessage(), error)
        return False
    return True
