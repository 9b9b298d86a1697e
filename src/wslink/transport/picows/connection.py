"""Sessions over picows's WebSockets."""

from __future__ import annotations

import logging
import struct
from time import monotonic

from picows.picows import WSFrame, WSMsgType, WSTransport

from wslink.session.identity import Opening
from wslink.session.nowhere import Departed
from wslink.session.stall import Progress
from wslink.session.state import State
from wslink.transport import deflate, framing, tcp
from wslink.transport.base import TransportOptions, close_reason, too_large
from wslink.transport.closing import CloseTimer
from wslink.transport.heartbeat import Heartbeat
from wslink.transport.picows.frames import SMALL
from wslink.transport.picows.parts import NO_UTF8, MessageParts
from wslink.transport.picows.private import forget_handshake, progress
from wslink.transport.picows.sending import Sending
from wslink.wire.frames import Buffer

SLOW = 0.001
"""Seconds. A client whose call took longer gets each answer at once for a while: gathering would delay it."""
UNCORKED = 0.1
"""Seconds of that while. Short, since on a busy machine any call may seem to take longer."""
MAX_LATE = 4096
"""Frames that may come after a close."""
MAX_PONGS = 16
"""Pings that arrived together and are answered each; of more, the newest is (RFC 6455, 5.5.3)."""

logger: logging.Logger = logging.getLogger("wslink.transport.picows")

_TEXT, _BINARY, _PING, _PONG, _CLOSE = (
    WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE,
)  # fmt: skip


_NEW = State.NEW
ASKED = (b"", struct.pack(">H", 1000), struct.pack(">H", 1001))  # 1001: a page that was left or closed
"""The codes of a close that the peer asked for, and does not come back from."""


class PicowsConnection(Sending):
    """Carries a session over an upgraded connection (session.ports.Transport).

    Args:
        options: see TransportOptions.
        agreement: the negotiated compression; None if there is none.
        opening: how the connection was opened. Not kept after the session has been created.
    """

    __slots__ = (
        "_asked",
        "_close_timer",
        "_controls",
        "_corkable_from",
        "_expanding",
        "_heartbeat",
        "_late",
        "_opening",
        "_options",
        "_parts",
        "_reached",
        "_reading",
        "_silences",
    )  # fmt: skip

    def __init__(self, options: TransportOptions, agreement: deflate.Agreement | None, opening: Opening) -> None:
        super().__init__(agreement.bits if agreement is not None else 0)
        self._options = options
        self._opening: Opening | None = opening
        self._parts = MessageParts(self, agreement)
        self._asked = False  # whether the peer has closed with code 1000, 1001 or none
        self._controls = 0  # control frames that arrived together
        self._reading = True  # whether the session wants to be handed more
        self._expanding = False  # whether a message is being expanded, for which reading waits
        self._silences = self._late = 0
        self._corkable_from = self._reached = 0.0
        self._close_timer: CloseTimer | None = None
        self._heartbeat: Heartbeat

    # picows.WSListener

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        self._transport = transport.underlying_transport.transport  # type: ignore[attr-defined]
        self._transport.set_write_buffer_limits(high=1, low=0)  # asyncio's TLS is always over 0
        self._heartbeat = Heartbeat(self._options.heartbeat, self)
        opening, self._opening = self._opening, None
        assert opening is not None
        self._session = self._options.opened(self, opening)
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
                self._session.charge(self._reached - start)
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

    def _comes_late(self, kind: WSMsgType) -> bool:
        """Whether a frame arrives after the close, when it is ignored. A peer that sends many of these is dropped."""
        self._late += 1
        if self._late == MAX_LATE:
            self.abort()
        return kind is not _CLOSE

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self.writable = False
        self._stop_watching()
        self._slices.clear()
        self._held = None
        self._parts.stop()
        self._heartbeat.stop()
        if self._close_timer is not None:
            self._close_timer.cancel()
        self._session.closed(self._asked)
        self._options.ended(self)
        self._session = Departed(self._session.client_id)
        del self._parts, self._heartbeat  # they refer to this, and nothing comes any more

    # session.ports.Transport

    def close(self, code: int, reason: str) -> None:
        if self._closing:
            return
        self._closing = True
        self._parts.empty = False  # so that what comes now is looked at as what may come late
        if code not in (1000, 1001) and not self.admitted:
            self.pause_reading()  # until the end, which is near
        self._close_timer = CloseTimer(self._transport, self.admitted)
        message = struct.pack(">H", code) + close_reason(reason)
        if self._held is not None:
            self._held.append(message)
        else:
            self._control(_CLOSE, message)

    @property
    def progress(self) -> Progress:
        return Progress(tcp.line(self._transport).taken)

    def pause_reading(self) -> None:
        self._reading = False
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._reading = True
        if not self._expanding and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection at once."""
        self._closing = True
        self._transport.abort()

    # picows.private.Gated

    @property
    def admitted(self) -> bool:
        return self._session.state is not _NEW

    def fail(self, code: int, reason: str) -> None:
        """The peer violated the WebSocket protocol, or a limit."""
        if code == framing.TOO_BIG:
            reason = too_large(self._options.limits, self.admitted)
        self._session.close(code, reason)

    def announce(self, size: int) -> None:
        self._parts.announced = size

    @property
    def max_size(self) -> int:
        """The largest message that is currently accepted, in bytes."""
        return self._options.max_early_frame if self._session.state is _NEW else self._options.max_frame

    def receive(self, binary: bool, data: Buffer | str) -> None:
        """Handle a message that was fragmented or compressed."""
        self._session.receive(binary, data)

    def hold_reading(self, hold: bool) -> None:
        """Pause or resume reading."""
        self._expanding = hold
        if hold:
            self._transport.pause_reading()
        elif self._reading:
            self.resume_reading()

    # heartbeat.Peer

    def arrived(self) -> int:
        if self._reading:
            return progress(self._transport)
        self._silences += 1  # what is not read is not silence
        return self._silences

    def line(self) -> tcp.Line:
        return tcp.line(self._transport)

    def beat(self) -> None:
        if not self._closing:
            self._control(_PING, b"")

    def dead(self, reason: str) -> None:
        logger.warning("client %s is dropped: %s", self._session.client_id, reason)
        self.abort()

    # Receiving

    def _receive_other(self, kind: WSMsgType, frame: WSFrame) -> None:
        if self._closing and self._comes_late(kind):
            return
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and (not self._bits or kind not in (_BINARY, _TEXT))):
            self.fail(framing.PROTOCOL_ERROR, "a reserved bit is set")
        elif kind is _BINARY or kind is _TEXT or kind is WSMsgType.CONTINUATION:
            self._parts.receive(kind, frame)
        elif kind is _CLOSE:
            self._parts.close(frame.get_payload_as_bytes()[:2])
        else:
            self._controls += 1
            if not (frame.last_in_buffer or self._corked):
                self._corked, self._reached = True, monotonic()
            if self._controls > framing.MAX_CONTROL_FRAMES:
                self.fail(framing.POLICY_VIOLATION, "too many control frames")
            elif kind is _PING:
                self._answer(frame.get_payload_as_bytes())

    def _answer(self, ping: bytes) -> None:
        """Answer a ping. If pongs pile up, only the newest ping is answered."""
        if self._paused or self._slices or self._held is not None or self._controls > MAX_PONGS:
            self._pong = ping
        elif not self._closing:
            self._control(_PONG, ping)

    # Closing

    def receive_close(self, code: bytes) -> None:
        """Answer the peer's close, unless it is the answer to ours. End the connection after what has begun to be sent:
        half a frame would be an error to the peer."""
        self._ending = True
        if self._closing:
            self._pump()
            return
        self._closing = True
        self._parts.empty = False  # as in `close`
        self._close_timer = CloseTimer(self._transport, self.admitted)
        self._asked = code in ASKED
        if code and not framing.is_close_code(int.from_bytes(code, "big")):
            code = struct.pack(">H", framing.PROTOCOL_ERROR)
        if self._held is not None:
            self._held.append(code)
        else:
            self._control(_CLOSE, code)
