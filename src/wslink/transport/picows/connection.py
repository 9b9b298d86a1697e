"""A WebSocket of picows's as a session's connection."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections import deque
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from picows import WSFrame, WSListener, WSMsgType, WSTransport

from wslink.session.state import State
from wslink.transport import deflate, framing, tcp
from wslink.transport.base import Carriage, close_reason, limit_unsent, too_large
from wslink.transport.closing import CloseTimer
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.picows.frames import SHORT_HEADS, SMALL, frame_head, joiner
from wslink.transport.picows.parts import NO_UTF8, MessageParts
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
MAX_PONGS = 16
"""Pings that arrived together and are answered each; of more, the newest is (RFC 6455, 5.5.3)."""

logger: logging.Logger = logging.getLogger("wslink.transport.picows")

_TEXT, _BINARY, _PING, _PONG, _CLOSE = (
    WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE,
)  # fmt: skip


_NEW = State.NEW


class PicowsConnection(WSListener):
    """Carries a session over an upgraded connection (session.contracts.Connection).

    Small frames go straight to the socket, or, while frames that arrived together are being received, into one write
    after the last of them. Large ones are cut into slices, of which one at a time is given to the
    transport; while one waits, the connection is not writable and frames stay in the session's outbox, where a newer
    one may take their place.

    Args:
        carriage: see Carriage.
        agreement: what was negotiated about compression; None if nothing was.
    """

    __slots__ = (
        "_bits", "_carriage", "_close_timer", "_closing", "_controls", "_corkable_from", "_corked", "_ending",
        "_heartbeat", "_held", "_parts", "_paused", "_pong", "_reached", "_session", "_slices", "_task",
        "_transport", "_ws", "writable",
    )  # fmt: skip

    def __init__(self, carriage: Carriage, agreement: deflate.Agreement | None) -> None:
        self.writable: bool = True
        self._carriage = carriage
        self._bits = agreement.bits if agreement is not None else 0
        self._parts = MessageParts(self, agreement)
        self._controls = 0  # control frames that arrived together
        self._pong: bytes | None = None  # the answer to the newest ping, where it has to wait
        self._ending = False  # the peer has closed: the connection ends once what has begun to be sent has gone out
        self._paused = False
        self._closing = False
        self._corked = False
        self._corkable_from = self._reached = 0.0
        self._slices: list[Buffer] = []  # of frames that have begun to be sent, and control frames after them
        self._held: deque[Frame | bytes] | None = None  # what waits for a frame that is being compressed
        self._close_timer: CloseTimer | None = None
        self._ws: WSTransport
        self._transport: asyncio.Transport
        self._session: Session
        self._heartbeat: Heartbeat

    # picows.WSListener

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        self._transport = transport.underlying_transport
        self._transport.set_write_buffer_limits(high=1, low=0)  # asyncio's TLS is always over 0
        self._heartbeat = Heartbeat(
            self._carriage.heartbeat, self._ping, self._dead, self._progress, lambda: tcp.line(self._transport)
        )
        self._session = self._carriage.opened(self)
        forget_handshake(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        self._heartbeat.heard = True
        kind = frame.msg_type
        if (
            (kind is _BINARY or kind is _TEXT) and frame.fin and self._parts.empty
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):  # fmt: skip
            if kind is _TEXT:
                try:
                    payload: Buffer | str = frame.get_payload_as_utf8_text()
                except UnicodeDecodeError:
                    self.fail(framing.INVALID_TEXT, NO_UTF8)
                    return
            else:  # a large one is received from where it is, until the call returns that it is given to
                small = frame.payload_size <= SMALL
                payload = frame.get_payload_as_bytes() if small else frame.get_payload_as_memoryview()
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
                self._controls = 0
            if not self._corked and (self._slices or self._pong is not None):
                self._pump()
        else:
            self._receive_other(kind, frame)
            if frame.last_in_buffer:
                self._controls = 0
                if self._corked or self._pong is not None:
                    self._corked = False
                    self._pump()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self.writable = False
        self._slices.clear()
        self._held = None
        self._parts.stop()
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
        self._close_timer = CloseTimer(self._transport, self.admitted)
        message = struct.pack(">H", code) + close_reason(reason)
        if self._held is not None:
            self._held.append(message)
        else:
            self._control(_CLOSE, message)

    def limit_unsent(self, limit: int) -> None:
        limit_unsent(self._transport, limit)

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        self._transport.abort()

    # picows.private.Gated

    @property
    def admitted(self) -> bool:
        return self._session.state is not _NEW

    def fail(self, code: int, reason: str) -> None:
        """The peer broke the WebSocket protocol, or a limit of it."""
        if code == framing.TOO_BIG:
            reason = too_large(self._carriage.limits, self.admitted)
        self._session.close(code, reason)

    @property
    def max_size(self) -> int:
        """The largest message that is accepted now, in bytes."""
        return self._carriage.max_frame if self.admitted else self._carriage.max_early_frame

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Take a message that came in parts, or compressed."""
        self._session.receive(binary, data)

    def hold_reading(self, hold: bool) -> None:
        """Read nothing for a while, or read on."""
        self._transport.pause_reading() if hold else self._transport.resume_reading()

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
        if not slices and not self._paused:
            if self._pong is not None and self._held is None:
                pong, self._pong = self._pong, None
                self._transport.write(frame_head(_PONG, len(pong)) + pong)
            if self._ending and self._held is None:
                self._ws.disconnect()
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
        return progress(self._transport)

    def _ping(self) -> None:
        if not self._closing:
            self._control(_PING, b"")

    def _dead(self, reason: str) -> None:
        logger.warning("client %s is dropped: %s", self._session.client_id, reason)
        self.abort()

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
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and (not self._bits or kind not in (_BINARY, _TEXT))):
            self.fail(framing.PROTOCOL_ERROR, "a reserved bit is set")
        elif kind is _BINARY or kind is _TEXT or kind is WSMsgType.CONTINUATION:
            self._parts.receive(kind, frame)
        elif kind is _CLOSE:
            self._close_received(frame)
        else:
            self._controls += 1
            if not (frame.last_in_buffer or self._corked):
                self._corked, self._reached = True, monotonic()
            if self._controls > framing.MAX_CONTROL_FRAMES:
                self.fail(framing.POLICY_VIOLATION, "too many control frames")
            elif kind is _PING:
                self._answer(frame.get_payload_as_bytes())

    def _answer(self, ping: bytes) -> None:
        """Answer a ping, where pongs would pile up only the newest."""
        if self._paused or self._slices or self._held is not None or self._controls > MAX_PONGS:
            self._pong = ping
        elif not self._closing:
            self._control(_PONG, ping)

    # Closing

    def _close_received(self, frame: WSFrame) -> None:
        """Answer the peer's close, unless it is itself the answer to ours, and end the connection once what has begun
        to be sent has gone out: half a frame would be an error to the peer."""
        self._ending = True
        if self._closing:
            self._pump()
            return
        self._closing = True
        self._close_timer = CloseTimer(self._transport, self.admitted)
        code = frame.get_payload_as_bytes()[:2]
        if code and not framing.is_close_code(int.from_bytes(code, "big")):
            code = struct.pack(">H", framing.PROTOCOL_ERROR)
        if self._held is not None:
            self._held.append(code)
        else:
            self._control(_CLOSE, code)
