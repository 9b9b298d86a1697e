"""Chunks of version 2, in the released API's shape. The rules are in docs/protocol/version-2.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgpack

from wslink import settings as environment
from wslink.errors import LimitExceeded, ParseError
from wslink.wire.chunks import HEADER, Unchunker, cut, frames_of
from wslink.wire.frames import Buffer
from wslink.wire.limits import Limits

UINT32_LENGTH = 4
ID_LOCATION = 0
ID_LENGTH = UINT32_LENGTH
MESSAGE_OFFSET_LOCATION = ID_LOCATION + ID_LENGTH
MESSAGE_OFFSET_LENGTH = UINT32_LENGTH
MESSAGE_SIZE_LOCATION = MESSAGE_OFFSET_LOCATION + MESSAGE_OFFSET_LENGTH
MESSAGE_SIZE_LENGTH = UINT32_LENGTH
HEADER_LENGTH = HEADER.size

AUTH_MSG_SIZE = 512
"""Where WSLINK_AUTH_MSG_SIZE says nothing: what a client accepts before hello tells `maxMsgSize`."""
UNLIMITED = 1 << 32
"""More than a header can announce."""


def generate_chunks(message: Buffer, max_size: int) -> Iterator[bytes]:
    """The frames that carry `message`.

    Args:
        message: the encoded message; an empty one has no frames.
        max_size: the most bytes in a frame, header included; 0 for one frame.
    """
    view = memoryview(message).cast("B") if isinstance(message, memoryview) else message
    if not len(view):
        return
    for frame in frames_of(cut((view,), len(view), max_size or HEADER_LENGTH + len(view), False)):
        yield bytes(frame.joined())


class _Message:
    """A message under way."""

    def __init__(self) -> None:
        self.unchunker = Unchunker(Limits(), UNLIMITED)
        self.arrived = 0


class StreamUnChunker:
    """Puts messages together whose chunks come in order, without a limit.

    Attributes:
        pending_messages: the messages under way, by id.
    """

    in_order = True

    def __init__(self) -> None:
        self.max_message_size = UNLIMITED
        self.pending_messages: dict[int, _Message] = {}

    def set_max_message_size(self, size: int) -> None:
        """Nothing: there is no limit here."""

    def release_pending_messages(self) -> None:
        """Forget the messages under way."""
        self.pending_messages = {}

    def process_chunk(self, chunk: Buffer) -> Any:
        """Take one frame: the decoded message that it completes, or None.

        Raises:
            ValueError: for a message over the limit, and for a chunk that does not fit the others of its message. The
                message is forgotten.
        """
        if len(chunk) < HEADER_LENGTH:
            raise ValueError(f"a chunk begins with a header of {HEADER_LENGTH} bytes")
        id_, offset, total = HEADER.unpack_from(chunk)
        if id_ not in self.pending_messages and total > self.max_message_size:
            raise ValueError(f"a message of {total} bytes is over the limit of {self.max_message_size}")
        if len(chunk) == HEADER_LENGTH:
            return None
        message = self.pending_messages.pop(id_, None) or _Message()
        if self.in_order and offset != message.arrived:
            raise ValueError(f"a chunk at {offset} is out of order")
        try:
            text = message.unchunker.receive(chunk)
        except (ParseError, LimitExceeded) as error:
            raise ValueError(str(error)) from error
        if text is not None:
            return msgpack.unpackb(text)
        message.arrived += len(chunk) - HEADER_LENGTH
        self.pending_messages[id_] = message
        return None


class UnChunker(StreamUnChunker):
    """Puts messages together whose chunks come in any order. Its limit is WSLINK_AUTH_MSG_SIZE (512) at first."""

    in_order = False

    def __init__(self) -> None:
        super().__init__()
        self.max_message_size = environment.read("WSLINK_AUTH_MSG_SIZE", int, AUTH_MSG_SIZE)

    def set_max_message_size(self, size: int) -> None:
        """Accept messages of up to `size` bytes from now on."""
        self.max_message_size: int = size
