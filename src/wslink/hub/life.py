"""The life of a server: how it ends, by itself or by others, and that it ends once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from wslink.console import say
from wslink.hub.hub import Hub
from wslink.hub.signals import Signals

logger: logging.Logger = logging.getLogger("wslink")


def announce(ready_message: str) -> None:
    """Tell on stdout that the port accepts: a launcher looks for this line. Nothing if it is empty."""
    if ready_message:
        say(ready_message)


class Life:
    """Ends a server after some time without clients, at a signal, or when somebody says so.

    Args:
        stop: the server's `stop`, which in turn calls `end`.
        timeout: seconds without a client after which the server stops; 0 never. A client counts once it has
            authenticated.
    """

    def __init__(self, stop: Callable[[], Coroutine[Any, Any, None]], timeout: float) -> None:
        self.timeout = timeout
        self._stop = stop
        self._hubs: tuple[Hub, ...] = ()
        self._timer: asyncio.TimerHandle | None = None
        self._signals = Signals()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    def handle_signals(self) -> None:
        """Stop at SIGINT and SIGTERM. From inside the running event loop; before the port accepts, so that a signal at
        any time stops the server in order."""
        self._signals.handle(self.stop_soon)

    def release_signals(self) -> None:
        """Give SIGINT and SIGTERM back. Safe to call more than once."""
        self._signals.restore()

    def begin(self, hubs: Iterable[Hub]) -> None:
        """Watch the clients of `hubs`. From inside the running event loop."""
        self._hubs = tuple(hubs)
        for hub in self._hubs:
            hub.on_connect.append(self._client_came)
            hub.on_disconnect.append(self._client_went)
        self._client_went()

    @property
    def ending(self) -> bool:
        """Whether it has begun to end."""
        return self._ending is not None

    @property
    def ended(self) -> bool:
        return self._ended.is_set()

    def await_client(self) -> None:
        """Stop after `timeout`, unless a client comes."""
        if self.timeout > 0 and self._timer is None and not self.ending:
            self._timer = asyncio.get_running_loop().call_later(self.timeout, self._idle)

    def cancel_timeout(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def stop_soon(self) -> None:
        """Begin to stop. From the event loop's thread; safe to call more than once."""
        if not self.ending:
            task = asyncio.get_running_loop().create_task(self._stop())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def end(self, shut_down: Callable[[], Awaitable[None]]) -> None:
        """Run `shut_down`, the first time; later calls wait for it. Cancelling a caller does not interrupt it."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(shut_down))
        await asyncio.shield(self._ending)

    async def wait_ended(self) -> None:
        await self._ended.wait()

    async def _end(self, shut_down: Callable[[], Awaitable[None]]) -> None:
        self.cancel_timeout()
        self._signals.restore()
        for hub in self._hubs:
            hub.on_connect.remove(self._client_came)
            hub.on_disconnect.remove(self._client_went)
        try:
            await shut_down()
        finally:
            self._ended.set()

    def _client_came(self, client_id: str = "") -> None:
        self.cancel_timeout()

    def _client_went(self, client_id: str = "") -> None:
        if not any(hub.sessions for hub in self._hubs):
            self.await_client()

    def _idle(self) -> None:
        self._timer = None
        logger.info("no client for %g s: the server stops", self.timeout)
        self.stop_soon()
