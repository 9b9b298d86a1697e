"""Bytes between two connections, no faster than the slower one accepts them."""

from __future__ import annotations

import asyncio
from typing import cast

HIGH_WATER = 256 * 1024
"""Bytes that may wait for a peer that does not read; beyond that the other is not read from either."""


class Side(asyncio.Protocol):
    """One of two joined connections: what one receives, the other sends.

    Memory is bounded by `HIGH_WATER` and one read, whatever the size of messages: they are not assembled.
    """

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        if self.other is not None:
            self.other.send(data)

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if not self.ended.done():
            self.ended.set_result(None)
        if self.other is not None:
            self.other.close()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume()

    def resume(self) -> None:
        """Read on: the other side accepts more."""
        if self.transport is not None:
            self.transport.resume_reading()

    def send(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    @property
    def takes_more(self) -> bool:
        """Whether few enough bytes are waiting. What is sent to a side that has gone is dropped."""
        return self.transport is None or self.transport.get_write_buffer_size() <= HIGH_WATER

    def close(self) -> None:
        """End the connection after what is waiting has been sent."""
        if self.transport is not None and not self.transport.is_closing():  # of asyncio's TLS, twice leaves nothing
            self.transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        if self.transport is not None:
            self.transport.abort()


def join(one: Side, other: Side) -> None:
    """Carry bytes between the two from now on. When one ends, so does the other."""
    one.other, other.other = other, one
    for side, target in ((one, other), (other, one)):
        if side.transport is None:
            target.close()
        elif target.takes_more:
            side.resume()
