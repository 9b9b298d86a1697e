"""Sending over picows: messages are sliced, joined and compressed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from picows.picows import WSMsgType

from wslink.kernel import limit_unsent
from wslink.session.ports import FrameReceiver
from wslink.transport import deflate
from wslink.transport.picows.frames import SHORT_HEADS, SMALL, frame_head, joiner
from wslink.transport.picows.writing import SLICE, Writing
from wslink.wire.frames import Buffer, Frame

WHOLE = 4 * 1024 * 1024
"""Bytes of a frame from which on the kernel is given as much of it as it takes: nothing can overtake the rest of it. No
chunk is so large."""
CORK = 64
"""Frames that wait for the calls that arrived together to be run."""

_TEXT, _BINARY, _CLOSE = WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CLOSE


class Sending(Writing):
    """The sending half of a connection (session.ports.Transport).

    Small frames are written to the socket at once or, while frames that arrived together are being handled, in one
    write after the last of them. Large ones are sliced; see Writing.

    Args:
        bits: the window bits of permessage-deflate; 0 if it was not negotiated.
    """

    __slots__ = ("_bits", "_closing", "_corked", "_task")

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits
        self._closing = False
        self._corked = False

    def carry(self, receiver: FrameReceiver) -> None:
        self._session = receiver

    @property
    def chunked(self) -> bool:
        return self._session.chunked

    def uncount(self, size: int) -> None:
        self._session.uncount(size)

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

    def _queue_parts(self, kind: WSMsgType, parts: tuple[Buffer, ...], size: int, compressed: bool = False) -> None:
        """Slice a frame into what is written at a time. Small parts, such as chunk headers, are joined to the previous
        slice."""
        slices = self._slices
        if size >= WHOLE > self._unsent and not self._lifted:
            self._lifted = True
            limit_unsent(self._transport, WHOLE)
        pending = frame_head(kind, size, compressed)
        for part in parts:
            if len(part) <= SMALL:
                pending += part
                continue
            slices.append(pending)
            view = memoryview(part)
            if len(view) <= SLICE:
                slices.append(view)
            else:
                slices.extend(view[start : start + SLICE] for start in range(0, len(view), SLICE))
            pending = b""
        if pending:
            slices.append(pending)

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
        """Queue what was sent while a frame was being compressed: a frame, or the payload of the close frame."""
        if isinstance(item, Frame):
            self._queue(item)
        elif self._held is not None:
            self._held.append(item)
        else:
            self._queue_parts(_CLOSE, (item,), len(item))
