"""Messages that are put into the queue in front of a client."""

from __future__ import annotations

from collections.abc import Sequence

from wslink.session.entries import Entry
from wslink.session.send_queue import SendQueue
from wslink.wire.chunks import HEADER_LENGTH, cut
from wslink.wire.frames import Frame, Message, text_frame

MIB = 1024 * 1024


class Line:
    """Takes everything."""

    writable = True

    def __init__(self) -> None:
        self.total = 0

    def send(self, frames: Sequence[Frame]) -> None:
        self.total += sum(frame.size for frame in frames)


def small(text: str) -> Message:
    frame = text_frame(text.encode())
    return Message((frame,), frame.size)


def large(letter: str, size: int = 100_000) -> Message:
    return cut([letter.encode() * size], size, 4 * MIB, True)


def put(queue: SendQueue, message: Message, *names: str, key: str | None = None, lane: int | None = None) -> Entry:
    entry = Entry(message, key, names)
    queue.put(entry, lane)
    return entry


def drain(queue: SendQueue, chunk: int = 50_012) -> list[str]:
    """What is sent, a large message's chunks by their first letter."""
    texts = []
    while (frame := queue.next(chunk)) is not None:
        assert frame.size <= max(chunk, 16 * 1024)
        data = bytes(frame.joined())
        texts.append(data[HEADER_LENGTH:][:1].decode() if frame.binary else data.decode())
    assert (queue.waiting, len(queue)) == (0, 0)
    return texts
