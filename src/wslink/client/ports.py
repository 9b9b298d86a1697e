"""The link's interface to its transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from wslink.errors import ConnectionClosed
from wslink.wire.frames import Buffer, Frame


class ClientSocket(Protocol):
    """A connection to a server: a WebSocket (client.socket), or one within this process (server.inside).

    Attributes:
        resume: called when it is writable again.
        behind: the number of waiting small frames, which `write` would overtake and must not (LANE-1).
    """

    resume: Callable[[], None] | None

    @property
    def behind(self) -> int: ...

    @property
    def writable(self) -> bool:
        """Whether few bytes are waiting."""

    async def write(self, frame: Frame) -> None:
        """Write a frame ahead of waiting ones. Raises ConnectionError."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Write frames as soon as possible. On a dead connection it does nothing."""

    def limit_unsent(self, limit: int) -> None:
        """Let less than `limit` bytes wait where they can no longer be overtaken."""

    async def keep_alive(self) -> None:
        """Send a sign of life. Raises ConnectionError."""

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        """Pass frames to `take` until the connection ends. Returns how it has ended."""

    async def close(self) -> None:
        """Close the connection with code 1000."""

    def abort(self) -> None:
        """Abort the connection: reading ends at once."""

    async def release(self) -> None:
        """Drop what was needed to open the connection."""
