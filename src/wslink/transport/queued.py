"""A session over any object that sends with coroutines: the generic backend's, and those of software's own backends."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Any

from wslink.session.ports import FrameReceiver
from wslink.session.stall import Progress
from wslink.transport.base import close_reason
from wslink.transport.gate import ReadGate
from wslink.transport.turns import WRITING
from wslink.wire.frames import Frame

logger: logging.Logger = logging.getLogger("wslink.protocol")

HIGH_WATER = 256 * 1024
"""Bytes that may wait here. Beyond that frames stay in the session's queue, where a newer one may replace them."""


class PumpedConnection:
    """Carries a session (session.ports.Transport) over `socket`.

    Args:
        socket: has the coroutines `send_bytes(bytes)`, `send_str(str)` and `close(code=, message=)`; None
            if it is gone.
    """

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.receiver: FrameReceiver | None = None
        """What is carried; None at first."""
        self._queue: deque[tuple[Callable[[], Awaitable[Any]], int]] = deque()
        self._queued = 0
        self._written = 0
        self.gate: ReadGate = ReadGate()
        """What hands frames to the session waits here where it can."""
        self._task: asyncio.Task[None] | None = None
        self._closing = socket is None

    @property
    def writable(self) -> bool:
        return self._queued < HIGH_WATER

    @property
    def progress(self) -> Progress:
        return Progress(self._written, self._queued)

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None:
        self.gate.close()

    def resume_reading(self) -> None:
        self.gate.open()

    def limit_unsent(self, limit: int) -> None:
        """Does nothing: what takes the frames does not show what waits in it."""

    def carry(self, receiver: FrameReceiver) -> None:
        self.receiver = receiver

    def send(self, frames: Sequence[Frame]) -> None:
        if not self._closing:
            for frame in frames:
                self._queued += frame.size
                self._enqueue(functools.partial(self._write, frame), frame.size)

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            message = close_reason(reason)
            self._enqueue(lambda: self.socket.close(code=code, message=message), 0)

    async def flushed(self) -> None:
        """Wait until what was sent is written. At once in what `socket` itself runs: it would wait for itself."""
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.shield(self._task)

    def _enqueue(self, write: Callable[[], Awaitable[Any]], size: int) -> None:
        self._queue.append((write, size))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._pump())

    async def _pump(self) -> None:
        with WRITING as turn:
            until = turn.until()
            while self._queue:
                if monotonic() > until:
                    await asyncio.sleep(0)
                    until = turn.until()
                write, size = self._queue.popleft()
                try:
                    await write()
                except Exception:
                    logger.exception("a connection failed to send")
                self._queued -= size
                self._written += size
                if self.receiver is not None:
                    self.receiver.resume()

    async def _write(self, frame: Frame) -> None:
        if frame.binary:
            await self.socket.send_bytes(bytes(frame.joined()))
        else:
            await self.socket.send_str(bytes(frame.joined()).decode())
