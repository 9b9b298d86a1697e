"""Encoding of frames from the server (RFC 6455, 5.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from picows.picows import WSMsgType

from wslink.transport.framing import frame_header
from wslink.wire.frames import Buffer, Frame

SMALL = 8192
"""Bytes up to which a frame is copied and sent at once, instead of in slices from where it is."""

_FIN, _RSV1 = 0x80, 0x40
_OPCODES = {
    WSMsgType.TEXT: 1, WSMsgType.BINARY: 2, WSMsgType.CLOSE: 8, WSMsgType.PING: 9, WSMsgType.PONG: 10,
}  # fmt: skip


def frame_head(kind: WSMsgType, size: int, compressed: bool = False) -> bytes:
    """The head of a frame from the server (RFC 6455, 5.2)."""
    return frame_header(_FIN | _OPCODES[kind] | (_RSV1 if compressed else 0), size)


SHORT_HEADS = tuple(tuple(frame_head(kind, size) for size in range(126)) for kind in (WSMsgType.TEXT, WSMsgType.BINARY))


class _Joiner:
    """Joins the small frames of a message. A message for several connections is joined once while they are served."""

    def __init__(self) -> None:
        self._last: tuple[Sequence[Frame], bytes] = (), b""

    def small(self, frames: Sequence[Frame]) -> bytes | None:
        """Return `frames` as bytes to send; None if that is too much to copy."""
        if self._last[0] is not frames:
            size = 0
            for frame in frames:
                size += frame.size
                if size > SMALL:
                    return None
            self._last = frames, b"".join(self._pieces(frames))
        return self._last[1]

    def _pieces(self, frames: Sequence[Frame]) -> Iterator[Buffer]:
        for frame in frames:
            yield frame_head(WSMsgType.BINARY if frame.binary else WSMsgType.TEXT, frame.size)
            yield from frame.parts


joiner: _Joiner = _Joiner()
