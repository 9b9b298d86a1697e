"""Sessions over any object that sends with coroutines: the generic backend's, and those of third-party backends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from wslink.session.ports import FrameReceiver
from wslink.session.stall import Progress
from wslink.transport.base import close_reason
from wslink.transport.gate import ReadGate
from wslink.transport.writing import Writer
from wslink.wire.frames import Frame

logger: logging.Logger = logging.getLogger("wslink.protocol")

HIGH_WATER = 256 * 1024
"""Bytes that may wait here. Beyond that frames stay in the session's queue, where a newer one may replace them."""

Start = Callable[[bool, bytes], Awaitable[None] | None]
"""Writes a frame's payload, binary or text, as far as goes at once; returns what to wait for, if that was not all."""


class PumpedConnection:
    """Carries a session (session.ports.Transport) over `socket`.

    Args:
        socket: has the coroutines `send_bytes(bytes)`, `send_str(str)` and `close(code=, message=)`; None if it has
            gone.
    """

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.receiver: FrameReceiver | None = None
        """What is carried; None at first."""
        self.gate: ReadGate = ReadGate()
        """What hands frames to the session waits here where it can."""
        self._start: Start | None = None
        self._writer = Writer(self._write, self._wrote)
        self._closing = socket is None

    @property
    def writable(self) -> bool:
        return self._writer.waiting < HIGH_WATER

    @property
    def progress(self) -> Progress:
        return Progress(self._writer.written, self._writer.waiting)

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None:
        self.gate.close()

    def resume_reading(self) -> None:
        self.gate.open()

    def limit_unsent(self, limit: int) -> None:
        """Does nothing: the socket does not tell how much is waiting in it."""

    def carry(self, receiver: FrameReceiver) -> None:
        self.receiver = receiver

    def send(self, frames: Sequence[Frame]) -> None:
        if not self._closing:
            for frame in frames:
                self._writer.send(frame)

    def close(self, code: int, reason: str) -> None:
        if not self._closing:
            self._closing = True
            message = close_reason(reason)
            self._writer.add(lambda: self._close(code, message))

    def write_at_once(self, task: asyncio.Task[Any], start: Start) -> None:
        """Write frames immediately if nothing is waiting, from now on.

        Args:
            task: see Writer.owner.
            start: writes frames instead of `socket`'s coroutines.
        """
        self._writer.owner = task
        self._start = start

    def write_in_one_task(self) -> None:
        """Write frames immediately if nothing is waiting, until `stop`, using `socket`'s coroutines, which middleware
        may wrap; see Writer.last."""
        self._writer.last()

    def stop(self) -> None:
        """Write nothing more."""
        self._writer.stop()

    def hold(self, on: bool) -> None:
        """Do not write frames immediately for now; see Writer."""
        self._writer.held = on

    async def flushed(self) -> None:
        """Wait until everything has been written. Returns at once if called by `socket` itself, to avoid a deadlock."""
        await self._writer.flushed()

    def _wrote(self) -> None:
        if self.receiver is not None:
            self.receiver.resume()

    async def _write(self, frame: Frame) -> None:
        payload = bytes(frame.joined())
        try:
            if self._start is not None:
                rest = self._start(frame.binary, payload)
                if rest is not None:
                    await rest
            elif frame.binary:
                await self.socket.send_bytes(payload)
            else:
                await self.socket.send_str(payload.decode())
        except Exception:
            logger.exception("a connection failed to send")

    async def _close(self, code: int, message: bytes) -> None:
        try:
            await self.socket.close(code=code, message=message)
        except Exception:
            logger.exception("a connection failed to close")
