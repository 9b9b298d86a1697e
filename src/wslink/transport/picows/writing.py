"""What picows's WebSockets write: slices of frames, as much as the kernel accepts."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

from picows.picows import WSListener, WSMsgType, WSTransport

from wslink.kernel import limit_unsent
from wslink.session.ports import FrameReceiver
from wslink.transport import tcp
from wslink.transport.picows.frames import SMALL, frame_head
from wslink.transport.private_asyncio import watch_room
from wslink.wire.frames import Buffer, Frame

REST = 64 * 1024
"""Bytes of what the kernel does not take that are given to the transport, which copies them (asyncio's until Python
3.12) and tells when it has sent them, where the event loop does not tell when the kernel takes more."""
GATHER = 64 * 1024
"""Bytes of small frames that are written together."""
SLICE = 768 * 1024
"""Bytes of a large frame that are written together. What the peer acknowledges meanwhile makes room at the end of a
write: with larger ones, the kernel more often stops taking more in the middle of a frame even if the peer is as fast,
and the event loop has to wait for room. It saved up to 12 % of the CPU time on one machine, and nothing on another."""
PER_TURN = 8 * 1024 * 1024
"""Bytes that are written in one turn of the event loop (TURN-1): some 2 ms."""
MAX_PIECES, AT_ONCE = 64, SLICE + GATHER
"""Slices, and bytes of them, that are given to the kernel together."""


class Writing(WSListener):
    """Writes slices to the kernel until it accepts no more, and continues when it does. While one is waiting, the
    connection is not writable and frames stay in the session's queue, where newer ones may replace them."""

    __slots__ = (
        "_descriptor", "_ending", "_held", "_lifted", "_paused", "_pong", "_resumption", "_session", "_slices",
        "_transport", "_unsent", "_unwatch", "_ws", "writable",
    )  # fmt: skip

    def __init__(self) -> None:
        self.writable: bool = True
        self._descriptor: int | None = None  # of the socket; -1 where it cannot be written to
        self._ending = False  # the peer has closed: the connection ends once what has begun to be sent has gone out
        self._lifted = False  # whether a large frame is being sent, and the limit of what waits in the kernel is off
        self._unsent = 0
        self._paused = False
        self._unwatch: Callable[[], object] | None = None  # while the event loop tells when the kernel takes more
        self._resumption: asyncio.Handle | None = None  # after the transport has written its data
        self._pong: bytes | None = None  # the answer to the newest ping, where it has to wait
        self._slices: list[Buffer] = []  # of frames that have begun to be sent, and control frames after them
        self._held: deque[Frame | bytes] | None = None  # what waits for a frame that is being compressed
        self._ws: WSTransport
        self._transport: asyncio.Transport
        self._session: FrameReceiver

    def pause_writing(self) -> None:
        """The transport has data waiting, and has replaced our watcher."""
        if self._resumption is not None:
            self._resumption.cancel()
        self._unwatch = None
        self._paused = True
        self.writable = False

    def resume_writing(self) -> None:
        """The transport has written its data. We continue in the next turn of the event loop: asyncio ends a connection
        twice that is closed, or in which a write fails, before this has returned."""
        self._resumption = asyncio.get_running_loop().call_soon(self._resume_open)

    def _resume_open(self) -> None:
        if not self._transport.is_closing():
            self._resume()

    def _resume(self) -> None:
        self._paused = False
        self._pump()
        if not self._slices:
            self._went_out()

    def _went_out(self) -> None:
        if self.writable:
            self._session.resume()

    def limit_unsent(self, limit: int) -> None:
        self._unsent = limit
        if not self._lifted:
            limit_unsent(self._transport, limit)

    def _pump(self) -> None:
        """Write slices to the kernel or the transport until one has to wait."""
        slices = self._slices
        if len(slices) > 1 and sum(map(len, slices)) <= GATHER:
            slices[:] = (b"".join(slices),)
        while slices and not self._paused:
            watches = self._unwatch is not None
            if (watches or len(slices) > 1 or len(slices[0]) > REST) and self._descriptor != -1:
                if self._write_through():
                    break
                self._stop_watching()
            piece = slices.pop(0)
            if slices and len(piece) <= SMALL:
                piece = self._gather(piece)
            self._transport.write(piece)
        if not slices and not self._paused:
            if self._lifted:
                self._lifted = False
                limit_unsent(self._transport, self._unsent)
            if self._pong is not None and self._held is None:
                pong, self._pong = self._pong, None
                self._transport.write(frame_head(WSMsgType.PONG, len(pong)) + pong)
            if self._ending and self._held is None:
                self._ws.disconnect()
        self.writable = not (slices or self._paused or self._held is not None)

    def _write_through(self) -> bool:
        """Write large slices to the kernel, bypassing the transport, which would copy what the kernel does not accept.
        Returns whether all were written, or the event loop watches for room. If not, the first slice is to be given to
        the transport, to wait with."""
        slices, transport = self._slices, self._transport
        if self._descriptor is None:
            secure = transport.get_extra_info("ssl_object") is not None or not hasattr(os, "writev")
            self._descriptor = -1 if secure else transport.get_extra_info("socket").fileno()
        if self._descriptor < 0 or transport.is_closing() or transport.get_write_buffer_size():
            return False
        waits = self._offer(self._descriptor)
        if not slices or (waits and self._watch()):
            return True
        if len(slices[0]) > REST:
            view = memoryview(slices[0])
            slices[:1] = view[:REST], view[REST:]
        return False

    def _offer(self, descriptor: int) -> bool:
        """Offer slices to the kernel until it accepts no more, or has accepted `PER_TURN`. Returns whether the rest has
        to wait. False if the connection has ended, which the transport will notice."""
        slices, room = self._slices, PER_TURN
        while slices and room > 0:
            count = size = 0
            for piece in slices[:MAX_PIECES]:
                if count and size + len(piece) > AT_ONCE:
                    break
                count += 1
                size += len(piece)
            try:
                taken = os.writev(descriptor, slices[:count])
            except BlockingIOError:
                taken = 0
            except OSError:
                return False
            if taken < size:
                self._took(taken)
                return True
            del slices[:count]
            room -= size
        return bool(slices)

    def _watch(self) -> bool:
        """Let the event loop watch for room in the kernel; False if that is left to the transport."""
        if self._unwatch is None and tcp.TELLS and self._descriptor is not None:
            self._unwatch = watch_room(asyncio.get_running_loop(), self._descriptor, self._has_room)
        self._paused = self._unwatch is not None
        return self._paused

    def _stop_watching(self) -> None:
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None and not self._transport.get_write_buffer_size():  # else it waits in this one's place
            unwatch()

    def _has_room(self) -> None:
        """The kernel accepts more."""
        self._resume_open()
        if not self._slices or self._transport.is_closing():
            self._stop_watching()

    def _took(self, taken: int) -> None:
        """The first `taken` bytes were written."""
        slices = self._slices
        while taken:
            piece = slices[0]
            if len(piece) > taken:
                slices[0] = memoryview(piece)[taken:]
                return
            taken -= len(piece)
            slices.pop(0)

    def _gather(self, piece: Buffer) -> bytes:
        """Join `piece` and the small slices after it, to be written together."""
        pieces, size = [piece], len(piece)
        while self._slices and size < GATHER and len(self._slices[0]) <= SMALL:
            pieces.append(self._slices.pop(0))
            size += len(pieces[-1])
        return b"".join(pieces)

    def _control(self, kind: WSMsgType, payload: bytes) -> None:
        self._slices.append(frame_head(kind, len(payload)) + payload)
        self._pump()
