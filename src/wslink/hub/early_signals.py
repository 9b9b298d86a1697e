"""Signals that are handled while the main thread is busy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import weakref
from collections.abc import Callable, Iterable


class EarlySignals:
    """Calls a handler on another event loop than the main thread's, as soon as a signal arrives.

    Python runs signal handlers on the main thread, and not before a blocking call there returns. But it writes each
    signal to a file descriptor at once (`signal.set_wakeup_fd`). This class reads that on another thread, and forwards
    it to the previous reader.

    Args:
        loop: the other event loop.
        handler: called there.
        numbers: the signals for which it is called.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, handler: Callable[[], None], numbers: Iterable[signal.Signals]
    ) -> None:
        self._loop = loop
        self._handler = handler
        self._numbers = frozenset(numbers)
        self._before = -1
        self._reader, self._writer = os.pipe()

    def start(self) -> None:
        """Start. Call it on the main thread, after the handlers of its event loop are installed. Raises ValueError on
        other threads."""
        for one in (self._reader, self._writer):
            os.set_blocking(one, False)
        self._before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        _reading.add(self)
        self._loop.call_soon_threadsafe(self._loop.add_reader, self._reader, self._read)

    def stop(self) -> None:
        """Restore the previous descriptor. Call it on the main thread."""
        with contextlib.suppress(ValueError, OSError):
            found = signal.set_wakeup_fd(self._before, warn_on_full_buffer=False)
            if found != self._writer:  # it was replaced in the meantime
                signal.set_wakeup_fd(found, warn_on_full_buffer=False)
        _reading.discard(self)
        for one in list(_reading):
            if one._before == self._writer:
                one._before = self._before
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._close)
            return
        self._close()

    def _close(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.remove_reader(self._reader)
        os.close(self._reader)
        os.close(self._writer)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._reader, 4096)
            if self._before >= 0:
                with contextlib.suppress(OSError):
                    os.write(self._before, data)
            if self._numbers.intersection(data):
                self._handler()


_reading: weakref.WeakSet[EarlySignals] = weakref.WeakSet()
"""Those that have begun and not stopped: each hands signals on to the one before it."""
