"""Closing a connection whose peer may never read what is in flight to it."""

from __future__ import annotations

import asyncio

from wslink.transport import tcp
from wslink.transport.base import CLOSE_TIMEOUT, EARLY_CLOSE_TIMEOUT
from wslink.transport.heartbeat import MIN_TAKEN


class CloseTimer:
    """Drops a connection that is being closed if its peer has accepted nothing for a while.

    Args:
        transport: the connection's.
        admitted: whether the client had completed hello; others get less time.
    """

    __slots__ = ("_handle", "_taken", "_timeout", "_transport")

    def __init__(self, transport: asyncio.WriteTransport, admitted: bool) -> None:
        self._transport = transport
        self._timeout = CLOSE_TIMEOUT if admitted else EARLY_CLOSE_TIMEOUT
        self._wait()

    def cancel(self) -> None:
        """Stop: the connection has ended."""
        self._handle.cancel()

    def _wait(self) -> None:
        self._taken = tcp.line(self._transport).taken
        self._handle = asyncio.get_running_loop().call_later(self._timeout, self._late)

    def _late(self) -> None:
        raw = tcp.socket_of(self._transport)
        if raw is None or raw.fileno() < 0:  # it has ended; asyncio must not be notified twice
            return
        if tcp.line(self._transport).taken - self._taken < MIN_TAKEN:
            self._transport.abort()
        else:
            self._wait()
