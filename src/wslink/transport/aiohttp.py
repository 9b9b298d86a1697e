"""A WebSocket of aiohttp's as a session's connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from aiohttp import ClientWebSocketResponse, WSMsgType, web

from wslink.session.ports import FrameReceiver
from wslink.session.stall import Progress
from wslink.transport import tcp
from wslink.transport.base import CLOSE_TIMEOUT, Carriage, Engine, close_reason, limit_unsent
from wslink.transport.deflate import worth_compressing
from wslink.transport.gate import ReadGate
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.private import compress_per_message
from wslink.wire.frames import Frame

Socket = web.WebSocketResponse | ClientWebSocketResponse

HIGH_WATER = 64 * 1024
"""Bytes that may wait in front of the socket. Beyond that frames stay in the session's outbox, where a newer one
may replace them."""


async def carry(request: web.Request, carriage: Carriage) -> web.StreamResponse:
    """Upgrade and carry until the connection ends (engine.Engine)."""
    socket = web.WebSocketResponse(
        autoping=False, compress=carriage.compress, max_msg_size=carriage.max_frame, timeout=1.0
    )
    await socket.prepare(request)
    connection = AiohttpConnection(socket, request.transport, carriage.heartbeat)
    try:
        await connection.run(carriage.opened(connection))
    finally:
        carriage.ended(connection)
    return socket


class AiohttpConnection:
    """Carries a session over a WebSocket of aiohttp's (session.ports.Transport).

    Args:
        socket: the WebSocket, connected; ours as a server or, in a reverse connection, as a client.
        transport: what it writes to.
        heartbeat: seconds between pings; below 1 there are none.
    """

    def __init__(self, socket: Socket, transport: asyncio.BaseTransport | None, heartbeat: float) -> None:
        self.on_ping: Callable[[bytes], None] | None = None
        """Called with the payload of each ping."""
        self._socket = socket
        self._transport = cast("asyncio.Transport | None", transport)
        if self._transport is not None:
            self._transport.set_write_buffer_limits(HIGH_WATER)
        self._compress = compress_per_message(socket)
        self._heartbeat = Heartbeat(heartbeat, self._ping, self.abort)
        self._gate = ReadGate()
        self._queue: deque[Callable[[], Awaitable[None]]] = deque()
        self._queued = 0
        self._wake = asyncio.Event()
        self._closing = False

    # session.ports.Transport

    @property
    def writable(self) -> bool:
        return self._queued < HIGH_WATER

    @property
    def progress(self) -> Progress:
        if self._transport is None:
            return Progress(-self._queued)
        return Progress(tcp.line(self._transport).taken)

    def cork(self) -> None: ...

    def uncork(self) -> None: ...

    def pause_reading(self) -> None:
        self._gate.close()

    def resume_reading(self) -> None:
        self._gate.open()

    def limit_unsent(self, limit: int) -> None:
        limit_unsent(self._transport, limit)

    def send(self, frames: Sequence[Frame]) -> None:
        if not self._closing:
            for frame in frames:
                self._send(frame)

    def _send(self, frame: Frame) -> None:
        self._queued += frame.size

        async def write() -> None:
            try:
                await self._write_frame(frame)
            finally:
                self._queued -= frame.size

        self._enqueue(write)

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            return
        message = close_reason(reason)

        async def close() -> None:
            await self._socket.close(code=code, message=message)

        self._enqueue(close)
        self._closing = True
        asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.abort)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    # Running

    async def run(self, session: FrameReceiver) -> None:
        """Carry `session` until the connection ends."""
        writer = asyncio.get_running_loop().create_task(self._write(session))
        try:
            await self._read(session)
        finally:
            self._closing = True
            self._wake.set()
            self._heartbeat.stop()
            session.closed()
            if self._socket.closed:
                writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({writer}, timeout=CLOSE_TIMEOUT)
            writer.cancel()

    async def _read(self, session: FrameReceiver) -> None:
        while True:
            while self._gate.closed:
                self._heartbeat.heard = True  # what is not read is not silence
                await self._gate.wait()
            message = await self._socket.receive()
            self._heartbeat.heard = True
            if message.type is WSMsgType.BINARY:
                session.receive(True, message.data)
            elif message.type is WSMsgType.TEXT:
                session.receive(False, message.data)
            elif message.type is WSMsgType.PING:
                payload = message.data
                if self.on_ping is not None:
                    self.on_ping(payload)
                self._enqueue(lambda payload=payload: self._socket.pong(payload))  # type: ignore[misc]
            elif message.type is not WSMsgType.PONG:
                return

    async def _write(self, session: FrameReceiver) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                while self._queue:
                    await self._queue.popleft()()
                    if self.writable:
                        session.resume()
                if self._closing:  # nothing more will be queued
                    return
                self._wake.clear()
                await self._wake.wait()

    async def _write_frame(self, frame: Frame) -> None:
        opcode = WSMsgType.BINARY if frame.binary else WSMsgType.TEXT
        squeeze = self._compress and worth_compressing(frame)
        await self._socket.send_frame(bytes(frame.joined()), opcode, self._compress if squeeze else 0)

    def _enqueue(self, write: Callable[[], Awaitable[None]]) -> None:
        if not self._closing:
            self._queue.append(write)
            self._wake.set()

    def _ping(self) -> None:
        self._enqueue(self._socket.ping)


ENGINE = Engine(carry)
