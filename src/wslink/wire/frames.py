"""Frames and messages as the wire layer hands them to a connection: buffers to send in order, never joined."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

# None of these is part of a cycle: the collector need not look at them (gc=False).
Buffer = bytes | bytearray | memoryview


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One WebSocket data frame.

    Attributes:
        binary: whether it is a binary frame; a text frame otherwise.
        parts: its payload, to be sent back to back. Every part is bytes or a one-dimensional view of bytes.
        size: bytes in all parts.
        dense: whether most of it is binary data of the application, which seldom compresses.
    """

    binary: bool
    parts: tuple[Buffer, ...]
    size: int
    dense: bool

    def joined(self) -> Buffer:
        """The payload as one buffer: copied only if it has several parts."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


class Message(msgspec.Struct, frozen=True, gc=False):
    """One encoded message.

    Attributes:
        frames: what carries it, in order and with nothing in between; empty if it is cut while it is sent.
        size: its bytes, headers of chunks included.
        source: what a Cutter cuts, for a message of protocol version 2 that does not fit a small chunk.
    """

    frames: tuple[Frame, ...]
    size: int
    source: Source | None = None


class Source(msgspec.Struct, frozen=True, gc=False):
    """A message before it is cut into chunks.

    Attributes:
        parts: the message, to be read back to back.
        total: bytes in all parts.
        dense: see Frame.
        max_frame: the most bytes in a frame, header included (G2-5).
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
