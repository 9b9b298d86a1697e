"""Handlers for the signals that end a server, for this process only, and restored afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import weakref
from collections.abc import Callable
from typing import Any

from wslink.hub.early_signals import EarlySignals

STOP = (signal.SIGINT, signal.SIGTERM)
"""The signals that stop a server."""


class Signals:
    """Signal handlers in an event loop. Several may handle the same signals: each is called.

    A process that is forked from this one (by `multiprocessing` or `os.fork`) gets the previous handlers: asyncio's own
    would have no effect there, and on Python 3.10 and 3.11 would report its signals to this process.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._handler: Callable[[], None]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._early: EarlySignals | None = None

    def handle(
        self,
        handler: Callable[[], None],
        numbers: tuple[signal.Signals, ...] = STOP,
        early: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Call `handler` for each of the signals `numbers`. Call it inside the running event loop. On Windows and
        outside the main thread it does nothing: the application's own handling stays in place.

        Args:
            early: the event loop of another thread, on which it is called first while this one is busy.
        """
        loop = self._loop = asyncio.get_running_loop()
        self._handler = handler
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            for number in numbers:
                others = _others(loop, number)
                before = others[0]._before[number] if others else signal.getsignal(number)
                loop.add_signal_handler(number, _arrived, loop, number)
                self._before[number] = before
        if self._before:
            _handled.add(self)
            if early is not None:
                self._early = EarlySignals(early, handler, numbers)
                self._early.start()

    def restore(self) -> None:
        """Restore the previous handlers. Call it inside an event loop. From that of another thread, it is scheduled on
        the event loop that handles the signals."""
        loop = self._loop
        if loop is None or asyncio.get_running_loop() is loop:
            self._restore()
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and restored them
                loop.call_soon_threadsafe(self._restore)

    def _restore(self) -> None:
        _handled.discard(self)
        if self._early is not None:
            self._early.stop()
            self._early = None
        loop = asyncio.get_running_loop()
        self._before = {number: before for number, before in self._before.items() if not _others(loop, number)}
        for number in self._before:
            loop.remove_signal_handler(number)
        self._reset()

    def _reset(self) -> None:
        before, self._before = self._before, {}
        for number, handler in before.items():
            if handler is not None:  # a handler that was not installed by Python cannot be restored
                with contextlib.suppress(ValueError):
                    signal.signal(number, handler)


_handled: weakref.WeakSet[Signals] = weakref.WeakSet()


def _others(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> list[Signals]:
    """Those that handle a signal on an event loop now."""
    return [one for one in list(_handled) if one._loop is loop and number in one._before]


def _arrived(loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
    for one in _others(loop, number):
        one._handler()


_held = threading.local()  # a mask belongs to a thread


def _before_fork() -> None:
    """Block signals while the new process still has this one's handlers."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP if _handled else ())


def _after_fork() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _forget() -> None:
    """In a forked process: restore the previous handlers, and stop writing signals to the parent's descriptor."""
    if _handled:
        with contextlib.suppress(ValueError):
            signal.set_wakeup_fd(-1)
        for signals in list(_handled):
            signals._reset()
        _handled.clear()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_forget)
