"""One of two peers that meet at a path."""

from __future__ import annotations

import asyncio
import base64
import hashlib

from aiohttp import web

from wslink.errors import ParseError
from wslink.proxy.pipe import Side, join
from wslink.proxy.takeover import take_over
from wslink.relay.frames import CLOSE, PING, PONG, FrameReader, close, control

HEARTBEAT = 30.0
"""Seconds between pings to a peer that waits; one that has sent nothing for two of them is gone."""

CLOSE_TIMEOUT = 2.0
"""Seconds that a peer has to answer a close frame."""

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3


class Member(Side):
    """A peer whose handshake the relay has answered. While it waits for the other, its pings are answered and data is
    left in its socket; from then on, frames are passed on."""

    def __init__(self) -> None:
        super().__init__()
        self._reader = FrameReader()
        self._close_passed = False
        self._heard = True
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
        """Pass frames between the two from now on. The end of one ends the other."""
        join(self, other)
        for one in (self, other):
            if one._heartbeat is not None:
                one._heartbeat.cancel()
            one._work()

    def end(self, code: int, reason: str) -> None:
        """Say goodbye, where that fits between two frames, and close."""
        partner = self.other
        cut = isinstance(partner, Member) and not partner._reader.between_frames
        if self.transport is not None and not cut and not self._was_closed():
            self.send(close(code, reason))
        self.close()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        self._reader.feed(data)
        self._work()

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        partner = self.other
        if isinstance(partner, Member) and self._close_passed:
            # It has been told, and answers; if not, that is its own end.
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT, partner.abort)
        elif isinstance(partner, Member):
            partner.end(1001, "the other side has gone")
        if not self.ended.done():
            self.ended.set_result(None)

    def _was_closed(self) -> bool:
        """Whether its partner's close frame was passed to it."""
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
        while (piece := self._reader.take()) is not None:
            other.send(piece.data)
            if piece.opcode == CLOSE:
                self._close_passed = True
                if not other._close_passed:
                    # The other may take its time; who said goodbye need not wait for it.
                    self.send(control(CLOSE, piece.payload[:2]))
                self.close()
                return

    def _wait(self) -> None:
        """Answer control frames. A data frame is for the other: it is not read any further."""
        while (opcode := self._reader.next_opcode()) is not None:
            if opcode < CLOSE:
                if self.transport is not None:
                    self.transport.pause_reading()
                return
            piece = self._reader.take()
            if piece is None:
                return
            if piece.opcode == PING:
                self.send(control(PONG, piece.payload))
            elif piece.opcode == CLOSE:
                self.send(control(CLOSE, piece.payload[:2]))
                self.close()

    def _beat(self) -> None:
        if not self._heard:
            self.abort()
            return
        self._heard = False
        self.send(control(PING))
        self._heartbeat = asyncio.get_running_loop().call_later(HEARTBEAT, self._beat)
