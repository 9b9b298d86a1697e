"""Progress of running calls (PRG-1)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from wslink.rpc.call import Call
from wslink.wire.value import Value

Prepare = Callable[[str, Value], Callable[[], None]]
"""Encodes the progress of the call with that id, on any thread. Returns a function that sends it, on the event loop's
thread."""


class Reporter:
    """Sends the progress of one call. Of what other threads report between two turns of the event loop, only the newest
    is sent. Create it on the event loop's thread.

    Args:
        call: the call.
        prepare: see Prepare.
    """

    __slots__ = ("_call", "_lock", "_loop", "_newest", "_prepare", "_thread")

    def __init__(self, call: Call, prepare: Prepare) -> None:
        self._call = call
        self._prepare = prepare
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._lock = threading.RLock()
        self._newest: Callable[[], None] | None = None

    def __call__(self, value: Value) -> None:
        send = self._prepare(self._call.id, value)
        with self._lock:
            is_due, self._newest = self._newest is not None, send
        if threading.get_ident() == self._thread:
            self._send()
        elif not is_due:
            with contextlib.suppress(RuntimeError):  # the server has stopped
                self._loop.call_soon_threadsafe(self._send)

    def _send(self) -> None:
        with self._lock:
            send, self._newest = self._newest, None
        if send is not None and not self._call.answered:
            send()
