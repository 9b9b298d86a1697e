"""The link's interface to its transport."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from wslink.errors import ConnectionClosed
from wslink.wire.frames import Buffer, Frame


class ClientSocket(Protocol):
    """A connection to a server: a WebSocket (client.socket), or a way inside of this process (server.inside).

    Attributes:
        resume: called when it is writable again.
        behind: small frames that wait, which `write` would pass and none may (LANE-1).
    """

    resume: Callable[[], None] | None

    @property
    def behind(self) -> int: ...

    @property
    def writable(self) -> bool:
        """Whether few bytes wait."""

    async def write(self, frame: Frame) -> None:
        """Write a frame ahead of those that wait. Raises ConnectionError."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Write frames as soon as that can be done. On a dead connection nothing happens."""

    def limit_unsent(self, limit: int) -> None:
        """Let less than `limit` bytes wait where nothing can be overtaken."""

    async def keep_alive(self) -> None:
        """Give a sign of life. Raises ConnectionError."""

    async def read(self, take: Callable[[bool, Buffer | str], Awaitable[None]]) -> ConnectionClosed:
        """Hand frames to `take`, one after another, until the connection ends; how it ended."""

    async def close(self) -> None:
        """Close the connection, with 1000."""

    def abort(self) -> None:
        """Give the connection up: reading ends at once."""

    async def release(self) -> None:
        """Let go of what the connection was made with."""
