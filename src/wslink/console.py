"""Writing to standard output and standard error, which a process may not have.

Windowed programs and services start without them, and the reader of a pipe may have gone. Servers carry on without
output; commands whose purpose is their output end.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TextIO

INTERRUPTED = 130
"""The exit code of a command that was interrupted before it finished, as shells report SIGINT."""
UNREAD = 141
"""The exit code of a command whose output is no longer read, as shells report SIGPIPE."""
_CONTROL = "[\0-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
"""Characters that control terminals or change the direction of text. Much of what commands print comes from servers and
their clients."""


class NobodyReads(Exception):
    """Standard output is a pipe that is no longer read, as with `wslink watch ... | head`."""


def say(text: str) -> None:
    """Print a line to standard output and flush it. Never raises; does nothing if there is no output or no reader."""
    _try(sys.stdout, text)


def complain(text: str) -> None:
    """Print a line to standard error, in the same way as `say`."""
    _try(sys.stderr, text)


def put(text: str, document: bool = False) -> None:
    """Print the output of a command. Does nothing if there is no standard output.

    Args:
        document: the output is meant for other programs. It is encoded in UTF-8 whatever the locale, and control
            characters are kept, except on a terminal.

    Raises:
        NobodyReads: the reader of standard output has gone.
        OSError: the output cannot be written, for example to a full disk.
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
    """Replace control characters in `text` by JSON escapes. Line breaks and tabs are kept."""
    return re.sub(_CONTROL, lambda found: f"\\u{ord(found[0]):04x}", text)


def settle() -> None:
    """Flush both streams. Without this, Python would fail with a traceback at exit if nobody reads them."""
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
    except (OSError, ValueError, AttributeError):  # a full disk, a closed stream, or an object of the application
        pass


def _write(stream: TextIO, text: str) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(plain(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()


def _discard(stream: TextIO) -> None:
    """Redirect a pipe without a reader to the null device. Otherwise Python exits with code 120 when it flushes the
    stream."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
