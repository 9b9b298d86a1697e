"""A WebSocket of picows's as a session's connection."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from wslink.errors import LimitExceeded
from wslink.session.stall import Progress
from wslink.transport import deflate, tcp
from wslink.transport.base import CLOSE_TIMEOUT, Carriage, close_reason, limit_unsent
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.picows.frames import SHORT_HEADS, SMALL, frame_head, joiner
from wslink.transport.picows.private import forget_handshake, progress
from wslink.wire.frames import Buffer, Frame

if TYPE_CHECKING:
    from wslink.session.session import Session

SLICE = 2 * 1024 * 1024
"""Bytes that are given to the transport at a time. It may copy what the kernel does not take at once, and so never
copies more than this."""

GATHER = 64 * 1024
"""Bytes of small frames that are written together."""
CORK = 64
"""Frames that wait for the calls that arrived together to be run."""
SLOW = 0.001
"""Seconds. A client whose call took longer gets each answer at once for a while: gathering would delay it."""
UNCORKED = 0.1
"""Seconds of that while. Short, since on a busy machine any call may seem to take longer."""

_TEXT, _BINARY, _PING, _PONG, _CLOSE = (
    WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE,
)  # fmt: skip


class _Fragments:
    """A message that comes in fragments."""

    def __init__(self, kind: WSMsgType, compressed: bool) -> None:
        self.kind = kind
        self.compressed = compressed
        self.parts: list[bytes] = []
        self.size = 0


class PicowsConnection(WSListener):
    """Carries a session over an upgraded connection (session.contracts.Connection).

    Small frames go straight to the socket, or, while frames that arrived together are being received, into one write
    after the last of them. Large ones are cut into slices, of which one at a time is given to the
    transport; while one waits, the connection is not writable and frames stay in the session's outbox, where a newer
    one may take their place.

    Args:
        carriage: see Carriage.
        bits: the window bits of permessage-deflate; 0 if it was not negotiated.
    """

    __slots__ = (
        "_bits", "_carriage", "_close_timer", "_closing", "_corkable_from", "_corked", "_fragments", "_heartbeat",
        "_held", "_inbox", "_paused", "_reached", "_reading", "_session", "_silences", "_slices", "_task",
        "_transport", "_ws", "writable",
    )  # fmt: skip

    def __init__(self, carriage: Carriage, bits: int) -> None:
        self.writable = True
        self._carriage = carriage
        self._bits = bits
        self._paused = False
        self._reading = True  # whether the session wants to be handed more
        self._silences = 0
        self._closing = False
        self._corked = False
        self._corkable_from = self._reached = 0.0
        self._slices: list[Buffer] = []  # of frames that have begun to be sent, and control frames after them
        self._held: deque[Frame | bytes] | None = None  # what waits for a frame that is being compressed
        self._fragments: _Fragments | None = None
        self._inbox: deque[tuple[WSMsgType, bytes, bool]] | None = None  # what waits for one that is being expanded
        self._close_timer: asyncio.TimerHandle | None = None
        self._ws: WSTransport
        self._transport: asyncio.Transport
        self._session: Session
        self._heartbeat: Heartbeat

    # picows.WSListener

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        self._transport = transport.underlying_transport
        self._transport.set_write_buffer_limits(high=1, low=0)  # asyncio's TLS is always over 0
        self._heartbeat = Heartbeat(self._carriage.heartbeat, self._ping, self.abort, self._progress)
        self._session = self._carriage.opened(self)
        forget_handshake(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heartbeat.heard = True
        kind = frame.msg_type
        if (kind is _BINARY or kind is _TEXT) and frame.fin and not frame.rsv1 and self._inbox is None:
            if self._fragments is not None:
                self._fail(WSCloseCode.PROTOCOL_ERROR, "a message began within another")
                return
            # A large payload is received from where it is, until the call returns that it is given to.
            small = frame.payload_size <= SMALL
            payload: Buffer = frame.get_payload_as_bytes() if small else frame.get_payload_as_memoryview()
            if frame.last_in_buffer and not self._corked:
                self._session.receive(kind is _BINARY, payload)
                return
            # One of several frames that arrived together; what it makes us send goes out after the last.
            start = self._reached if self._corked else monotonic()
            self._corked = start >= self._corkable_from
            self._session.receive(kind is _BINARY, payload)
            self._reached = monotonic()
            if self._reached - start > SLOW:
                self._corkable_from = start + UNCORKED
                self._corked = False
            elif frame.last_in_buffer:
                self._corked = False
            if not self._corked and self._slices:
                self._pump()
        else:
            self._receive_other(kind, frame)
            if self._corked and frame.last_in_buffer:
                self._corked = False
                self._pump()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self.writable = False
        self._slices.clear()
        self._held = self._inbox = None
        self._heartbeat.stop()
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._session.closed()
        self._carriage.ended(self)

    def pause_writing(self) -> None:
        self._paused = True
        self.writable = False

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()
        if not self._slices:
            self._went_out()

    # session.contracts.Connection

    def send(self, frames: Sequence[Frame]) -> None:
        if self._closing:
            return
        frame = frames[0]
        if len(frames) == 1 and frame.size <= SMALL and not self._bits and (self._corked or not self._slices):
            parts, binary = frame.parts, frame.binary
            data = parts[0] if len(parts) == 1 else b"".join(parts)
            if not self._corked:
                self._ws.send(_BINARY if binary else _TEXT, data)
                return
            size = len(data)
            head = SHORT_HEADS[binary][size] if size < 126 else frame_head(_BINARY if binary else _TEXT, size)
            self._slices.append(head + data)
        elif not self._bits and (piece := joiner.small(frames)) is not None and self._held is None:
            self._slices.append(piece)
        else:
            for frame in frames:
                self._queue(frame)
        if not self._corked or len(self._slices) > CORK or frames[-1].size > SMALL:
            self._pump()

    def _queue(self, frame: Frame) -> None:
        if self._held is not None:
            self._held.append(frame)
        elif self._bits and deflate.worth_compressing(frame):
            self._queue_compressed(frame)
        else:
            self._queue_parts(_BINARY if frame.binary else _TEXT, frame.parts, frame.size)

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            return
        self._closing = True
        self._close_timer = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, self.abort)
        message = struct.pack(">H", code) + close_reason(reason)
        if self._held is not None:
            self._held.append(message)
        else:
            self._control(_CLOSE, message)

    @property
    def progress(self) -> Progress:
        return Progress(tcp.line(self._transport).taken)

    def cork(self) -> None:
        self._corked = True

    def uncork(self) -> None:
        self._corked = False
        if not self._closing or self._slices:
            self._pump()

    def pause_reading(self) -> None:
        self._reading = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._reading = True
        if self._inbox is None and not self._transport.is_closing():
            self._transport.resume_reading()

    def limit_unsent(self, limit: int) -> None:
        limit_unsent(self._transport, limit)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        self._transport.abort()

    # Sending

    def _queue_parts(self, kind: WSMsgType, parts: tuple[Buffer, ...], size: int, compressed: bool = False) -> None:
        """Cut a frame into what is written at a time. Small parts, such as chunk headers, go with what is before."""
        slices = self._slices
        pending = frame_head(kind, size, compressed)
        for part in parts:
            if len(part) <= SMALL:
                pending += part
                continue
            slices.append(pending)
            view = memoryview(part)
            slices.extend(view[start : start + SLICE] for start in range(0, len(view), SLICE))
            pending = b""
        if pending:
            slices.append(pending)

    def _pump(self) -> None:
        """Give slices to the transport until it has to keep one for later."""
        slices = self._slices
        if len(slices) > 1 and sum(map(len, slices)) <= GATHER:
            slices[:] = (b"".join(slices),)
        while slices and not self._paused:
            piece = slices.pop(0)
            if slices and len(piece) <= SMALL:
                piece = self._gather(piece)
            self._transport.write(piece)
        self.writable = not (slices or self._paused or self._held is not None)

    def _gather(self, piece: Buffer) -> bytes:
        """`piece` and what is small after it, to be written together."""
        pieces, size = [piece], len(piece)
        while self._slices and size < GATHER and len(self._slices[0]) <= SMALL:
            pieces.append(self._slices.pop(0))
            size += len(pieces[-1])
        return b"".join(pieces)

    def _control(self, kind: WSMsgType, payload: bytes) -> None:
        self._slices.append(frame_head(kind, len(payload)) + payload)
        self._pump()

    def _progress(self) -> int:
        if self._reading:
            return progress(self._ws)
        self._silences += 1  # what is not read is not silence
        return self._silences

    def _ping(self) -> None:
        if not self._paused:
            self._control(_PING, b"")

    def _went_out(self) -> None:
        if self.writable:
            self._session.resume()

    # Compressing

    def _queue_compressed(self, frame: Frame) -> None:
        if frame.size > deflate.THREAD_ABOVE:
            self._held = deque()
            self.writable = False
            self._task = asyncio.get_running_loop().create_task(self._compress(frame))
        else:
            self._queue_smaller(frame, deflate.deflater.small(frame, self._bits))

    async def _compress(self, frame: Frame) -> None:
        payload = await deflate.deflater.large(frame, self._bits)
        held, self._held = self._held, None
        if held is None:  # disconnected
            return
        self._queue_smaller(frame, payload)
        for item in held:
            self._queue_held(item)
        self._pump()
        self._went_out()

    def _queue_smaller(self, frame: Frame, payload: Buffer) -> None:
        kind = _BINARY if frame.binary else _TEXT
        if len(payload) < frame.size:
            self._queue_parts(kind, (payload,), len(payload), True)
        else:
            self._queue_parts(kind, frame.parts, frame.size)

    def _queue_held(self, item: Frame | bytes) -> None:
        """Queue what was handed over while a frame was compressed: a frame, or the payload of the close frame."""
        if isinstance(item, Frame):
            self._queue(item)
        elif self._held is not None:
            self._held.append(item)
        else:
            self._queue_parts(_CLOSE, (item,), len(item))

    # Receiving

    def _receive_other(self, kind: WSMsgType, frame: WSFrame) -> None:
        if kind is _PING:
            self._control(_PONG, frame.get_payload_as_bytes())
        elif kind is _CLOSE:
            self._close_received(frame)
        elif kind is not _PONG:
            self._receive_part(kind, frame)

    def _receive_part(self, kind: WSMsgType, frame: WSFrame) -> None:
        """Take a fragment, or a compressed message."""
        fragments = self._fragments
        if (fragments is None) is (kind is WSMsgType.CONTINUATION) or (frame.rsv1 and not self._bits):
            self._fail(WSCloseCode.PROTOCOL_ERROR, "a frame that has no place here")
            return
        if fragments is None:
            fragments = self._fragments = _Fragments(kind, frame.rsv1)
        fragments.size += frame.payload_size
        if fragments.size > self._carriage.max_frame:
            self._fail(WSCloseCode.MESSAGE_TOO_BIG, f"a message is at most {self._carriage.max_frame} bytes")
            return
        fragments.parts.append(frame.get_payload_as_bytes())
        if frame.fin:
            self._fragments = None
            self._receive_message(fragments.kind, b"".join(fragments.parts), fragments.compressed)

    def _receive_message(self, kind: WSMsgType, data: bytes, compressed: bool) -> None:
        if self._inbox is not None:
            self._inbox.append((kind, data, compressed))
        elif not compressed:
            self._session.receive(kind is _BINARY, data)
        elif len(data) <= deflate.THREAD_ABOVE // 16:
            self._expanded(kind, data)
        else:
            self._inbox = deque()
            self._transport.pause_reading()
            self._task = asyncio.get_running_loop().create_task(self._expand(kind, data))

    def _expanded(self, kind: WSMsgType, data: bytes) -> None:
        try:
            self._session.receive(kind is _BINARY, deflate.inflate(data, self._carriage.max_frame))
        except (LimitExceeded, zlib.error) as error:
            self._refuse(error)

    async def _expand(self, kind: WSMsgType, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        try:
            message = await loop.run_in_executor(None, deflate.inflate, data, self._carriage.max_frame)
        except (LimitExceeded, zlib.error) as error:
            self._refuse(error)
            return
        inbox, self._inbox = self._inbox, None
        if inbox is None:  # disconnected
            return
        self._session.receive(kind is _BINARY, message)
        for item in inbox:
            self._receive_message(*item)
        if self._inbox is None and self._reading:
            self._transport.resume_reading()

    def _refuse(self, error: Exception) -> None:
        if isinstance(error, LimitExceeded):
            self._fail(WSCloseCode.MESSAGE_TOO_BIG, str(error))
        else:
            self._fail(WSCloseCode.INVALID_TEXT, "malformed compressed data")

    # Closing

    def _fail(self, code: WSCloseCode, reason: str) -> None:
        """The peer broke the WebSocket protocol, or a limit of it."""
        self._session.close(code.value, reason)

    def _close_received(self, frame: WSFrame) -> None:
        """Answer the peer's close, unless it is itself the answer to ours, and end the connection."""
        if not self._closing:
            self._closing = True
            self._slices.clear() if self._paused else self._control(_CLOSE, frame.get_payload_as_bytes()[:2])
        self._ws.disconnect()
