"""Reading that pauses, for transports that read in a coroutine."""

from __future__ import annotations

import asyncio


class ReadGate:
    """Holds up a reader (session.ports.Transport, `pause_reading` and `resume_reading`).

    Attributes:
        closed: whether nothing is to be read now. A reader that sees it awaits `wait`.
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
        """Return once more may be read."""
        while self.closed:
            self._reopened = asyncio.get_running_loop().create_future()
            await self._reopened
