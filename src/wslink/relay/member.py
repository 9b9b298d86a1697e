"""One of two peers that meet at a path."""

from __future__ import annotations

import asyncio
import base64
import hashlib

from aiohttp import web

from wslink import kernel
from wslink.errors import ParseError
from wslink.proxy.pipe import Side, join
from wslink.proxy.takeover import take_over
from wslink.relay.frames import CLOSE, PING, PONG, FrameReader, Piece, close, control
from wslink.transport import tcp
from wslink.transport.heartbeat import MAX_GRACE, SLOWEST

HEARTBEAT = 30.0
"""Seconds between pings to a peer that waits; one that has sent nothing for two of them is gone."""

MAX_CONTROL_FRAMES = 64
"""Control frames that a peer which waits may send between two of these pings."""

FIRST_MESSAGE = 15.0
"""Seconds that a client has to send the first byte of a message to its process, before another gets its place."""

FRAMES_AT_ONCE = 256
"""Frames of one peer that are passed on before anybody else has a turn."""

UNREAD = 4096
"""Bytes that a peer may leave unread before its pings are not answered any more."""

WAITING_READ, PAIRED_READ = 16 * 1024, 256 * 1024
"""Bytes that are read at once from a peer: one that waits holds no more than that."""
_READ = memoryview(bytearray(PAIRED_READ))
"""Where all peers' bytes are read to. They are taken out of it before anything else is read."""

GONE = 1014
"""The code by which a peer is told that the other one has gone without a close frame. 1001 would say that it does not
come back (RES-6)."""
PROBE, PROBE_STEP = 2.0, 0.05
"""Seconds in which a client has to show a sign of life where another comes to its place, and between two looks."""
CLOSE_TIMEOUT = 2.0
"""Seconds that a peer has to answer a close frame."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Member(Side, asyncio.BufferedProtocol):
    """A peer whose handshake the relay has answered. While it waits for the other peer, the newest of its pings is
    answered and data is left in its socket. From then on, frames are passed on."""

    def __init__(self) -> None:
        super().__init__()
        self._controls = 0  # frames since the last beat
        self._behind = False  # whether frames that were read have not been passed on
        self._spoke = False  # whether a data frame of it has begun
        self._silence: asyncio.TimerHandle | None = None
        self._reader = FrameReader()
        self._close_passed = False
        self._heard = 1  # how often something has come
        self._heard_before = 0
        self._heartbeat: asyncio.TimerHandle | None = None

    @classmethod
    def accept(cls, request: web.Request) -> Member | None:
        """Answer the handshake of a valid request; None if the peer has gone."""
        member = cls()
        if not take_over(request, member):
            return None
        accepted = hashlib.sha1((request.headers["Sec-WebSocket-Key"] + _GUID).encode(), usedforsecurity=False)
        member.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(accepted.digest()) + b"\r\n\r\n"
        )
        member._beat()
        return member

    @property
    def connected(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def meet(self, other: Member) -> None:
        """Pass frames between the two from now on; this one is the client. When one ends, so does the other."""
        join(self, other)
        for one in (self, other):
            if one._heartbeat is not None:
                one._heartbeat.cancel()
            one._work()
        if not self._spoke:
            self._silence = asyncio.get_running_loop().call_later(FIRST_MESSAGE, self._has_been_silent)

    def end(self, code: int, reason: str) -> None:
        """Send a close frame, if that is possible between two frames, and close."""
        if self._takes_control():
            self.send(close(code, reason))
        self.close()

    async def lives(self) -> bool:
        """Ping a client that is connected to its process, as soon as that is allowed, and return whether it shows a
        sign of life. Data that was sent before gives it more time, as it accepts the data. In the middle of a frame it
        cannot be pinged, and is dead only if it accepts nothing."""
        silent, heard, pinged, taken, before = 0.0, self._heard, False, self._taken(), self._unsent()
        while self.connected:
            if not pinged and (self._takes_control() or not self._unsent()):
                silent, taken, pinged = 0.0, self._taken(), self._takes_control()
                before = self._unsent() + self._unacknowledged()
                if pinged:
                    self.send(control(PING))
            if silent > PROBE + min(min(self._taken() - taken, before) / SLOWEST, MAX_GRACE):
                return False
            await asyncio.sleep(PROBE_STEP)
            silent += PROBE_STEP  # not what passed: a relay that is held up hears nobody
            if self._heard != heard:
                return True
        return False

    def _unsent(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def _unacknowledged(self) -> int:
        return kernel.unacknowledged(self.transport) if self.transport is not None else 0

    def _taken(self) -> int:
        return tcp.line(self.transport).taken if self.transport is not None else 0

    def _takes_control(self) -> bool:
        """Whether a control frame may be sent now: not inside another frame, and not after its end."""
        partner = self.other
        cut = isinstance(partner, Member) and not partner._reader.between_frames
        return self.transport is not None and not cut and not self._was_closed()

    def get_buffer(self, sizehint: int) -> memoryview:
        return _READ if self.other is not None else _READ[:WAITING_READ]

    def buffer_updated(self, size: int) -> None:
        self._heard += 1
        self._reader.feed(_READ[:size])
        if not self._behind:
            self._work()

    def resume(self) -> None:
        if self._behind:
            self._work()
        else:
            super().resume()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        for timer in (self._heartbeat, self._silence):
            if timer is not None:
                timer.cancel()
        partner = self.other
        if isinstance(partner, Member) and self._close_passed:
            # It has been told, and answers; if not, that is its own end.
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, partner.abort)
        elif isinstance(partner, Member):
            partner.end(GONE, "the other side has gone")
        if not self.ended.done():
            self.ended.set_result(None)

    def _was_closed(self) -> bool:
        """Whether its partner's close frame was passed on to it."""
        return isinstance(self.other, Member) and self.other._close_passed

    def _work(self) -> None:
        try:
            if isinstance(self.other, Member):
                self._pass_on(self.other)
            else:
                self._wait()
        except ParseError as error:
            self.send(close(1002, error.message))
            self.close()

    def _pass_on(self, other: Member) -> None:
        """Pass on what has arrived, no more than the other accepts, and with a limit per turn of the event loop."""
        pieces: list[bytes] = []
        closing = None
        while len(pieces) < FRAMES_AT_ONCE and other.takes_more and (piece := self._reader.take()) is not None:
            pieces.append(piece.data)
            self._spoke = self._spoke or piece.opcode < CLOSE
            if piece.opcode == CLOSE:
                closing = piece
                break
        other.send(b"".join(pieces))
        if closing is not None:
            self._passed_close(other, closing)
            return
        self._behind = self._reader.next_opcode() is not None and not (
            other.takes_more and len(pieces) < FRAMES_AT_ONCE
        )
        if self.transport is None:
            return
        if self._behind:
            self.transport.pause_reading()
            if other.takes_more:  # or it says when it does
                asyncio.get_running_loop().call_soon(self.resume)
        elif other.takes_more:
            self.transport.resume_reading()

    def _passed_close(self, other: Member, piece: Piece) -> None:
        self._close_passed = True
        if not other._close_passed:
            # The other may take its time; who said goodbye need not wait for it.
            self.send(control(CLOSE, piece.payload[:2]))
        self.close()

    def _wait(self) -> None:
        """Answer control frames. A data frame is for the other peer: stop reading there."""
        ping = None
        while (opcode := self._reader.next_opcode()) is not None:
            if opcode < CLOSE:
                if self.transport is not None:
                    self.transport.pause_reading()
                break
            piece = self._reader.take()
            if piece is None:
                break
            self._controls += 1
            if self._controls > MAX_CONTROL_FRAMES:
                self.end(1008, "too many control frames")
                return
            if piece.opcode == PING:
                ping = piece  # RFC 6455, 5.5.3: the newest alone need be answered
            elif piece.opcode == CLOSE:
                self.send(control(CLOSE, piece.payload[:2]))
                self.close()
                return
        if ping is not None and self.transport is not None and self.transport.get_write_buffer_size() <= UNREAD:
            self.send(control(PONG, ping.payload))

    def _has_been_silent(self) -> None:
        """The client has sent nothing: another one may have its process."""
        if not self._spoke:
            self.end(1008, "no message came in time")

    def _beat(self) -> None:
        if self._heard == self._heard_before:
            self.abort()
            return
        self._heard_before = self._heard
        self._controls = 0
        self.send(control(PING))
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT, self._beat)
