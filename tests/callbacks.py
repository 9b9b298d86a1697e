"""Callbacks of the event loop that raise: asyncio only logs that, and a test would pass."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("Exception in callback"):
            self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def no_callback_raises() -> Iterator[None]:
    """Fails a test in which a callback has raised."""
    errors, logger = _Errors(), logging.getLogger("asyncio")
    logger.addHandler(errors)
    yield
    logger.removeHandler(errors)
    assert errors.messages == []
