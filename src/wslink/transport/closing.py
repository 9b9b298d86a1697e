"""The end of a connection whose peer may never take what is on its way to it."""

from __future__ import annotations

import asyncio

from wslink.transport import tcp
from wslink.transport.base import CLOSE_TIMEOUT, EARLY_CLOSE_TIMEOUT
from wslink.transport.heartbeat import MIN_TAKEN


class CloseTimer:
    """Drops a connection that is being closed, once its peer has taken nothing for a while.

    Args:
        transport: the connection's.
        admitted: whether the client had said a good hello; others get less time.
    """

    __slots__ = ("_handle", "_taken", "_timeout", "_transport")

    def __init__(self, transport: asyncio.WriteTransport, admitted: bool) -> None:
        self._transport = transport
        self._timeout = CLOSE_TIMEOUT if admitted else EARLY_CLOSE_TIMEOUT
        self._wait()

    def cancel(self) -> None:
        """The connection has ended."""
        self._handle.cancel()

    def _wait(self) -> None:
        self._taken = tcp.line(self._transport).taken
        self._handle = asyncio.get_running_loop().call_later(self._timeout, self._late)

    def _late(self) -> None:
        if self._transport.get_extra_info("socket").fileno() < 0:  # it has ended; asyncio must not be told twice
            return
        if tcp.line(self._transport).taken - self._taken < MIN_TAKEN:
            self._transport.abort()
        else:
            self._wait()
