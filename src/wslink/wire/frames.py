"""Frames and messages, as the wire layer passes them to a connection: buffers to send in order, never joined."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

# These are never part of reference cycles, so the garbage collector need not track them (gc=False).
Buffer = bytes | bytearray | memoryview


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One WebSocket data frame.

    Attributes:
        binary: whether it is a binary frame, rather than a text frame.
        parts: the parts of its payload, in order. Each is bytes or a one-dimensional view of bytes.
        size: total bytes of the parts.
        dense: whether most of it is the application's binary data, which is seldom compressible.
    """

    binary: bool
    parts: tuple[Buffer, ...]
    size: int
    dense: bool

    def joined(self) -> Buffer:
        """The payload as one buffer. It is copied only if it has several parts."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


class Message(msgspec.Struct, frozen=True, gc=False):
    """One encoded message.

    Attributes:
        frames: its frames, to be sent in order and without others in between; empty if it is cut while it is being
            sent.
        size: its bytes, including the headers of chunks.
        source: what a Cutter cuts, for a message of protocol version 2 that does not fit into a small chunk.
    """

    frames: tuple[Frame, ...]
    size: int
    source: Source | None = None


class Source(msgspec.Struct, frozen=True, gc=False):
    """A message before it is cut into chunks.

    Attributes:
        parts: its parts, in order.
        total: total bytes of the parts.
        dense: see Frame.
        max_frame: the most bytes in a frame, including the header (G2-5).
    """

    parts: tuple[Buffer, ...]
    total: int
    dense: bool
    max_frame: int


def message(frames: Sequence[Frame]) -> Message:
    """Bundle `frames` into a Message."""
    return Message(tuple(frames), sum(frame.size for frame in frames))


def text_frame(payload: bytes) -> Frame:
    return Frame(False, (payload,), len(payload), False)
