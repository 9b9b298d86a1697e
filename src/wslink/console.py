"""Lines on standard output and standard error, which a process may not have: windowed programs and services start
without them, and the reader of a pipe may have gone. A server starts all the same."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Write a line to standard output, at once. Nothing where there is none, or nobody reads it. Never raises."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Write a line to standard error, as `say` does to standard output."""
    _write(sys.stderr, text)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    try:
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        _discard(stream)
    except (OSError, ValueError, AttributeError):  # it is full, closed, or an object of the application's
        pass


def _discard(stream: TextIO) -> None:
    """Let what is written to a pipe without a reader go nowhere. Otherwise Python fails with exit code 120 at its end,
    when it flushes what the stream still holds."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
