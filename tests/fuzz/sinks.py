"""What targets put in the place of connections."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wslink.session.stall import Progress
from wslink.wire.frames import Frame


class Sink:
    """A transport that keeps what is sent, and the reason for which it is closed."""

    writable = True
    progress = Progress(0, 0)

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.reason: str | None = None

    def send(self, frames: Sequence[Frame]) -> None:
        self.frames.extend(frames)

    @property
    def size(self) -> int:
        """Bytes that were sent."""
        return sum(frame.size for frame in self.frames)

    def carry(self, receiver: object) -> None: ...

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def limit_unsent(self, limit: int) -> None:
        """All is sent at once."""

    def close(self, code: int, reason: str) -> None:
        self.reason = reason


class Unhandled(AssertionError):
    """Something was logged that is an error of ours."""


class _Strict(logging.Handler):
    """Keeps what is logged with an exception, but that of the application."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(logging.ERROR)
        self._allowed = allowed
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.exc_info and not any(text in said for text in self._allowed):
            self.found.append(f"{said}: {record.exc_info[1]!r}")


@contextmanager
def nothing_raised(*allowed: str) -> Iterator[None]:
    """Fail for an exception that was logged, unless its line has one of these texts; nothing is shown.

    Raises:
        Unhandled: with what was logged.
    """
    handler = _Strict(allowed)
    loggers = [logging.getLogger(name) for name in ("wslink", "asyncio")]
    before = [(one, one.level, one.propagate) for one in loggers]
    for one in loggers:
        one.setLevel(logging.ERROR)
        one.propagate = False
        one.addHandler(handler)
    try:
        yield
    finally:
        for one, level, propagate in before:
            one.removeHandler(handler)
            one.setLevel(level)
            one.propagate = propagate
    if handler.found:
        raise Unhandled("; ".join(handler.found))
