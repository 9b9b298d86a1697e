"""Pausing of readers that are coroutines."""

from __future__ import annotations

import asyncio


class ReadGate:
    """Pauses a reader (session.ports.Transport, `pause_reading` and `resume_reading`).

    Attributes:
        closed: whether nothing may be read now. Readers then await `wait`.
    """

    def __init__(self) -> None:
        self.closed: bool = False
        self._reopened: asyncio.Future[None] | None = None

    def close(self) -> None:
        self.closed = True

    def open(self) -> None:
        self.closed = False
        if self._reopened is not None and not self._reopened.done():
            self._reopened.set_result(None)

    async def wait(self) -> None:
        """Wait until more may be read."""
        while self.closed:
            self._reopened = asyncio.get_running_loop().create_future()
            await self._reopened
