"""NetworkMonitor of the released API: whether anything is in flight to a client."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Callable
from typing import Any

Listener = Callable[[], Any]


class NetworkMonitor:
    """Counts running calls and messages that wait to be written.

    Attributes:
        pending: their number.
        event: set when one has completed.
    """

    def __init__(self) -> None:
        self.pending: int = 0
        self.event: asyncio.Event = asyncio.Event()
        self._ids = itertools.count(2)
        self._listeners: dict[int, tuple[Listener, Listener]] = {}

    def add_listener(self, enter: Listener, exit: Listener) -> int:
        """Call `enter()` when something becomes pending, and `exit()` when nothing is any more. Returns a key for
        removal."""
        id_ = next(self._ids)
        self._listeners[id_] = enter, exit
        return id_

    def remove_listener(self, key: int) -> tuple[Listener, Listener] | None:
        """Remove and return a pair of listeners; None for an unknown key."""
        return self._listeners.pop(key, None)

    def on_enter(self, *_: Any, **__: Any) -> None:
        if self.pending == 0:
            self._tell(0)
        self.pending += 1

    def on_exit(self, *_: Any, **__: Any) -> None:
        self.pending -= 1
        if self.pending == 0:
            self._tell(1)
            self.network_call_completed()

    def network_call_completed(self) -> None:
        """Wake up those that wait for `completion`."""
        self.event.set()

    async def completion(self) -> None:
        """Wait until nothing is pending. A method that awaits it waits for itself, for ever."""
        while self.pending:
            self.event.clear()
            await self.event.wait()

    def __enter__(self) -> NetworkMonitor:
        self.on_enter()
        return self

    def __exit__(self, *_: object) -> None:
        self.on_exit()

    async def __aenter__(self) -> NetworkMonitor:
        self.on_enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.on_exit()
        await self.completion()

    def _tell(self, which: int) -> None:
        for pair in list(self._listeners.values()):
            with contextlib.suppress(Exception):
                pair[which]()


class Tally:
    """Counts for a monitor that belongs to another thread. However much is counted while that thread is busy, one
    function waits for it: clients can make something pending as often as they like.

    Args:
        monitor: the monitor, which is told of what has become pending, and then of what has completed.
    """

    def __init__(self, monitor: NetworkMonitor) -> None:
        self._monitor = monitor
        self._lock = threading.RLock()
        self._entered = self._left = 0

    def count(self, post: Callable[[Callable[[], None]], None], *, entered: int = 0, left: int = 0) -> None:
        """So much has become pending, or has completed; `post` calls a function on the monitor's thread."""
        with self._lock:
            first = not self._entered and not self._left
            self._entered += entered
            self._left += left
        if first:
            post(self._tell)

    def _tell(self) -> None:
        with self._lock:
            entered, left = self._entered, self._left
            self._entered = self._left = 0
        for _ in range(entered):
            self._monitor.on_enter()
        for _ in range(left):
            self._monitor.on_exit()
