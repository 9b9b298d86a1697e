"""Sessions over aiohttp's WebSockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType, web

from wslink.kernel import limit_unsent
from wslink.session.identity import Opening
from wslink.session.ports import FrameReceiver
from wslink.session.stall import Progress
from wslink.session.state import State
from wslink.transport import tcp
from wslink.transport.base import (
    CLOSE_TIMEOUT,
    Engine,
    TransportOptions,
    close_reason,
    early_limit,
    too_large,
)
from wslink.transport.closing import CloseTimer
from wslink.transport.deflate import worth_compressing
from wslink.transport.expanding import Expanding
from wslink.transport.framing import is_close_code
from wslink.transport.gate import ReadGate
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.private import GuardedParser, compress_per_message, plain_upgrade, server_guard
from wslink.transport.turns import Share
from wslink.transport.writing import Writer
from wslink.wire.frames import Frame
from wslink.wire.limits import Limits

Socket = web.WebSocketResponse | ClientWebSocketResponse

HIGH_WATER = 64 * 1024
"""Bytes that may wait in front of the socket. Beyond that frames stay in the session's queue, where a newer one
may replace them."""


READ_SIZE = 64 * 1024
"""Bytes that are read, and parsed, before others have their turn."""
EARLY_READ_SIZE = 4 * 1024
"""The same, of a client that has not said hello."""
MAX_PONGS = 16
"""Pings whose answers may wait; of more, the newest are answered (RFC 6455, 5.5.3)."""

logger: logging.Logger = logging.getLogger("wslink.transport.aiohttp")


async def serve_request(request: web.Request, options: TransportOptions, opening: Opening) -> web.StreamResponse:
    """Upgrade the request, and carry a session until the connection ends (base.Engine)."""
    socket = web.WebSocketResponse(
        autoping=False, autoclose=False, compress=options.compress, max_msg_size=options.max_frame + 1, timeout=1.0
    )
    await socket.prepare(plain_upgrade(request))
    connection = AiohttpConnection(socket, request.transport, options.heartbeat, options.limits, server_guard(request))
    try:
        session = options.opened(connection, opening)
        del opening
        await connection.run(session)
    finally:
        options.ended(connection)
    return socket


class AiohttpConnection:
    """Carries a session over an aiohttp WebSocket (session.ports.Transport).

    Args:
        socket: the connected WebSocket, as a server's end or, in a reverse connection, as a client's.
        transport: the transport that it writes to.
        heartbeat: seconds between pings; below 1 there are none.
        limits: the host's.
        guard: checks frames before aiohttp parses them.
    """

    def __init__(
        self,
        socket: Socket,
        transport: asyncio.BaseTransport | None,
        heartbeat: float,
        limits: Limits,
        guard: GuardedParser,
    ) -> None:
        self.on_ping: Callable[[bytes], None] | None = None
        """Called with the payload of each ping."""
        self._socket = socket
        self._transport = cast("asyncio.Transport | None", transport)
        self._reads_little = False
        if self._transport is not None:
            self._transport.set_write_buffer_limits(HIGH_WATER)
            self._read_at_a_time(EARLY_READ_SIZE)
        self._limits = limits
        self._guard = guard
        self._session: FrameReceiver | None = None
        self._compress = compress_per_message(socket)
        self._expanding: Expanding | None = None
        self._heartbeat = Heartbeat(heartbeat, self)
        self._gate = ReadGate()
        self._silences = 0
        self._writer = Writer(self._write_frame, self._wrote)
        self._pongs: deque[bytes] = deque(maxlen=MAX_PONGS)
        self._pinging = False
        self._closing = False
        self._asked = False  # whether the peer has closed with code 1000, 1001 or none
        self._close_timer: CloseTimer | None = None

    # session.ports.Transport

    def carry(self, receiver: FrameReceiver) -> None:
        self._session = receiver

    @property
    def writable(self) -> bool:
        return self._writer.waiting < HIGH_WATER

    @property
    def progress(self) -> Progress:
        if self._transport is None:
            return Progress(-self._writer.waiting)
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
                self._writer.send(frame)

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            return
        message = close_reason(reason)

        async def close() -> None:
            with contextlib.suppress(ConnectionError):
                await self._socket.close(code=code, message=message)

        self._writer.add(close)
        self._closing = True
        self._await_close()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        if self._transport is not None:
            self._transport.abort()

    @property
    def _admitted(self) -> bool:
        """Whether the client has completed hello."""
        return self._session is not None and self._session.state is not State.NEW

    def _max_size(self) -> int:
        return self._limits.max_frame if self._admitted else early_limit(self._limits)

    def _fail(self, code: int, reason: str) -> None:
        """The peer violated the WebSocket protocol, or a limit."""
        if code == WSCloseCode.MESSAGE_TOO_BIG:
            reason = too_large(self._limits, self._admitted)
        if self._session is not None:
            self._session.close(code, reason)

    def _await_close(self) -> None:
        if self._close_timer is None and self._transport is not None:
            self._close_timer = CloseTimer(self._transport, self._admitted)

    def arrived(self) -> int:
        if not self._gate.closed:
            return self._guard.received
        self._silences += 1  # while reading is paused, silence means nothing
        return self._silences

    def line(self) -> tcp.Line:
        return tcp.line(self._transport) if self._transport is not None else tcp.UNKNOWN

    def dead(self, reason: str) -> None:
        logger.warning("client %s is dropped: %s", self._session.client_id if self._session else "?", reason)
        self.abort()

    # Running

    async def run(self, session: FrameReceiver) -> None:
        """Carry `session` until the connection ends."""
        self._session = session
        self._guard.bind(self._max_size, self._fail, bool(self._compress))
        self._expanding = Expanding(self._guard.forms, self._max_size) if self._compress else None
        self._writer.owner = asyncio.current_task()
        try:
            await self._read()
        finally:
            self._closing = True
            self._await_close()
            self._heartbeat.stop()
            self._receiver.closed(self._asked)
            if self._socket.closed:
                self._writer.stop()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer.flushed(CLOSE_TIMEOUT)
            self._writer.stop()
            self._guard.stop(self._socket)

    @property
    def _receiver(self) -> FrameReceiver:
        assert self._session is not None
        return self._session

    async def _read(self) -> None:
        share = Share()
        while True:
            if self._gate.closed:
                await self._gate.wait()
            message = await self._socket.receive()
            self._writer.held = share.begin()
            if message.type is WSMsgType.BINARY or message.type is WSMsgType.TEXT:
                self._heartbeat.heard = True
                if self._expanding is not None and self._expanding.is_next:
                    await self._expanding.hand_on(message.data, self._receiver, self._fail)
                else:
                    self._receiver.receive(message.type is WSMsgType.BINARY, message.data)
                del message  # which may be large: it is not to be kept while the next one is waited for
                if self._reads_little and self._receiver.state is State.OPEN:
                    self._read_at_a_time(READ_SIZE)
            elif message.type is WSMsgType.PING:
                self._answer(bytes(message.data))
            elif message.type is WSMsgType.PONG:
                self._heartbeat.heard = True
            else:
                if message.type is WSMsgType.CLOSE:
                    self._asked = message.data in (WSCloseCode.OK, WSCloseCode.GOING_AWAY, None, 0)
                    await self._answer_close(message.data)
                return
            if share.is_over():
                await share.turn()

    def _read_at_a_time(self, size: int) -> None:
        """Limit how much is read at a time: aiohttp parses all frames of a read at once, into messages that are larger
        than small frames."""
        self._reads_little = size < READ_SIZE
        if self._transport is not None and hasattr(self._transport, "max_size"):  # asyncio's own
            self._transport.max_size = size

    def _answer(self, ping: bytes) -> None:
        """Answer a ping. If pongs pile up, only the newest ping is answered."""
        self._heartbeat.heard = True
        if self.on_ping is not None:
            self.on_ping(ping)
        if not self._pongs and not self._closing:
            self._writer.add(self._pong)
        self._pongs.append(ping)

    async def _pong(self) -> None:
        with contextlib.suppress(ConnectionError):
            while self._pongs and not self._socket.closed:
                await self._socket.pong(self._pongs.popleft())

    async def _answer_close(self, code: int) -> None:
        """End the connection after what has been written. A code that is not allowed in a close frame is an error."""
        answer = code or WSCloseCode.OK
        await self._socket.close(code=answer if is_close_code(answer) else WSCloseCode.PROTOCOL_ERROR)

    def _wrote(self) -> None:
        if self.writable:
            self._receiver.resume()

    async def _write_frame(self, frame: Frame) -> None:
        opcode = WSMsgType.BINARY if frame.binary else WSMsgType.TEXT
        squeeze = self._compress and worth_compressing(frame)
        try:  # cheaper than contextlib.suppress
            await self._socket.send_frame(bytes(frame.joined()), opcode, self._compress if squeeze else 0)
        except ConnectionError:
            return

    def beat(self) -> None:
        if not self._pinging and not self._closing:
            self._pinging = True
            self._writer.add(self._write_ping)

    async def _write_ping(self) -> None:
        self._pinging = False
        with contextlib.suppress(ConnectionError):
            await self._socket.ping()


ENGINE = Engine("aiohttp", serve_request)
