"""Lines on standard output and standard error, which a process may not have: windowed programs and services start
without them, and the reader of a pipe may have gone. A server starts all the same; a command that is for its output
ends."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TextIO

INTERRUPTED = 130
"""The exit code of a command that was ended before it had done what it was for, as a shell has it for SIGINT."""
UNREAD = 141
"""The exit code of a command whose output nobody reads any more, as a shell has it for SIGPIPE."""
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""What steers terminals, or changes the order in which text is read. Servers and their clients choose much of what
commands print."""


class NobodyReads(Exception):
    """The reader of standard output has gone: `wslink watch ... | head`."""


def say(text: str) -> None:
    """Write a line to standard output, at once. Nothing where there is none, or nobody reads it. Never raises."""
    _try(sys.stdout, text)


def complain(text: str) -> None:
    """Write a line to standard error, as `say` does to standard output."""
    _try(sys.stderr, text)


def put(text: str, document: bool = False) -> None:
    """Write to standard output what a command is for. Nothing where there is none.

    Args:
        document: that other programs read it: UTF-8, whatever the locale, and unchanged, except on a terminal.

    Raises:
        NobodyReads: its reader has gone.
        OSError: it cannot be written: the disk is full.
    """
    stream = sys.stdout
    if stream is None:
        return
    try:
        if document and hasattr(stream, "buffer"):
            stream.flush()
            shown = plain(text) if stream.isatty() else text
            stream.buffer.write(f"{shown}\n".encode("utf-8", "backslashreplace"))
            stream.flush()
        else:
            _write(stream, text)
    except BrokenPipeError:
        _discard(stream)
        raise NobodyReads from None
    except OSError as error:
        _discard(stream)
        raise OSError(error.errno, error.strerror, "standard output") from None


def plain(text: str) -> str:
    """A text with escapes, as JSON has them, in place of what steers terminals; lines and tabs stay."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def settle() -> None:
    """Write what is still held: Python fails at its end, with a traceback, where nobody reads that."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                _discard(stream)


def _try(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    try:
        _write(stream, text)
    except BrokenPipeError:
        _discard(stream)
    except (OSError, ValueError, AttributeError):  # it is full, closed, or an object of the application's
        pass


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(plain(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _discard(stream: TextIO) -> None:
    """Let what is written to a pipe without a reader go nowhere. Otherwise Python fails with exit code 120 at its end,
    when it flushes what the stream still holds."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
