"""Sending over picows: messages are cut into slices, gathered and compressed."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from picows import WSListener, WSMsgType, WSTransport

from wslink.kernel import limit_unsent
from wslink.session.ports import FrameReceiver
from wslink.transport import deflate
from wslink.transport.picows.frames import SHORT_HEADS, SMALL, frame_head, joiner
from wslink.wire.frames import Buffer, Frame

if TYPE_CHECKING:
    pass

SLICE = 2 * 1024 * 1024
"""Bytes that are given to the kernel at a time."""
REST = 64 * 1024
"""Bytes of what the kernel does not take that are given to the transport, which copies them (asyncio's until Python
3.12) and tells when it has sent them."""
MAX_PIECES = 64
"""Slices that are given to the kernel together."""
WHOLE = 4 * 1024 * 1024
"""Bytes of a frame from which on the kernel is given as much of it as it takes: nothing can overtake the rest of it. No
chunk is so large."""
GATHER = 64 * 1024
"""Bytes of small frames that are written together."""
CORK = 64
"""Frames that wait for the calls that arrived together to be run."""

_TEXT, _BINARY, _PONG, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.PONG, WSMsgType.CLOSE


class Sending(WSListener):
    """The way out of a connection (session.ports.Transport).

    Small frames go straight to the socket, or, while frames that arrived together are being received, into one write
    after the last of them. Large ones are cut into slices, of which one at a time is given to the transport; while one
    waits, the connection is not writable and frames stay in the session's queue, where a newer one may take their
    place.

    Args:
        bits: the window bits of permessage-deflate; 0 if it was not negotiated.
    """

    __slots__ = (
        "_bits", "_closing", "_corked", "_descriptor", "_ending", "_held", "_lifted", "_paused", "_pong", "_session",
        "_slices", "_task", "_transport", "_unsent", "_ws", "writable",
    )  # fmt: skip

    def __init__(self, bits: int) -> None:
        self.writable: bool = True
        self._bits = bits
        self._closing = False
        self._corked = False
        self._descriptor: int | None = None  # of the socket; -1 where it cannot be written to
        self._ending = False  # the peer has closed: the connection ends once what has begun to be sent has gone out
        self._lifted = False  # whether a large frame is being sent, and the limit of what waits in the kernel is off
        self._unsent = 0
        self._paused = False
        self._pong: bytes | None = None  # the answer to the newest ping, where it has to wait
        self._slices: list[Buffer] = []  # of frames that have begun to be sent, and control frames after them
        self._held: deque[Frame | bytes] | None = None  # what waits for a frame that is being compressed
        self._ws: WSTransport
        self._transport: asyncio.Transport
        self._session: FrameReceiver

    def pause_writing(self) -> None:
        self._paused = True
        self.writable = False

    def resume_writing(self) -> None:
        self._paused = False
        self._pump()
        if not self._slices:
            self._went_out()

    def carry(self, receiver: FrameReceiver) -> None:
        self._session = receiver

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

    def cork(self) -> None:
        self._corked = True

    def uncork(self) -> None:
        self._corked = False
        if not self._closing or self._slices:
            self._pump()

    def limit_unsent(self, limit: int) -> None:
        self._unsent = limit
        if not self._lifted:
            limit_unsent(self._transport, limit)

    def _queue_parts(self, kind: WSMsgType, parts: tuple[Buffer, ...], size: int, compressed: bool = False) -> None:
        """Cut a frame into what is written at a time. Small parts, such as chunk headers, go with what is before."""
        slices = self._slices
        if size >= WHOLE and not self._lifted:
            self._lifted = True
            limit_unsent(self._transport, WHOLE)
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
            if len(slices) > 1 and self._descriptor != -1 and self._write_through():
                break
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
                self._transport.write(frame_head(_PONG, len(pong)) + pong)
            if self._ending and self._held is None:
                # In the next turn: asyncio ends a connection twice that is closed while it resumes writing.
                asyncio.get_running_loop().call_soon(self._ws.disconnect)
        self.writable = not (slices or self._paused or self._held is not None)

    def _write_through(self) -> bool:
        """Give large slices to the kernel without the transport, which would copy what that does not take. Whether all
        have gone out; if not, they begin with a part that the transport is to wait with."""
        slices, transport = self._slices, self._transport
        if self._descriptor is None:
            secure = transport.get_extra_info("ssl_object") is not None or not hasattr(os, "writev")
            self._descriptor = -1 if secure else transport.get_extra_info("socket").fileno()
        if self._descriptor < 0 or transport.is_closing() or transport.get_write_buffer_size():
            return False
        left = 0
        while slices and not left:
            offered = slices[:MAX_PIECES]
            try:
                taken = os.writev(self._descriptor, offered)
            except OSError:  # the kernel takes no more; or the connection has ended, which the transport finds out
                taken = 0
            left = sum(map(len, offered)) - taken
            self._took(taken)
        if slices and len(slices[0]) > REST:
            view = memoryview(slices[0])
            slices[:1] = view[:REST], view[REST:]
        return not slices

    def _took(self, taken: int) -> None:
        """The first `taken` bytes have gone out."""
        slices = self._slices
        while taken:
            piece = slices[0]
            if len(piece) > taken:
                slices[0] = memoryview(piece)[taken:]
                return
            taken -= len(piece)
            slices.pop(0)

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

    def _went_out(self) -> None:
        if self.writable:
            self._session.resume()

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
