"""permessage-deflate (RFC 7692), decided per message and without context takeover, so that no connection keeps a
window and a message that goes to many clients is compressed once."""

from __future__ import annotations

import asyncio
import zlib

from wslink.errors import LimitExceeded
from wslink.wire.frames import Buffer, Frame

COMPRESS_ABOVE = 1024
"""Smaller messages are not worth it."""
THREAD_ABOVE = 64 * 1024
"""Larger ones are compressed and expanded in a thread: at 50 to 100 MB/s they would hold the event loop up."""
SAMPLE = 2048
"""Bytes at the beginning, in the middle and at the end by which binary data is judged."""
LEVEL = 1
MAX_WINDOW_BITS = 15

_TAIL = b"\x00\x00\xff\xff"  # RFC 7692, 7.2.1: cut off by the sender, put back by the receiver


def negotiate(offers: str) -> tuple[str, int] | None:
    """The answer to a Sec-WebSocket-Extensions header and our window bits; None if no offer can be accepted."""
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == "permessage-deflate":
            answer = _accept([parameter.partition("=")[::2] for parameter in parameters])
            if answer is not None:
                return answer
    return None


def _accept(parameters: list[tuple[str, str]]) -> tuple[str, int] | None:
    bits, answer = MAX_WINDOW_BITS, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    for key, value in parameters:
        value = value.strip().strip('"')
        if key == "server_max_window_bits" and value.isdecimal() and 9 <= int(value) <= MAX_WINDOW_BITS:
            bits, answer = int(value), f"{answer}; {key}={value}"
        elif key not in ("client_max_window_bits", "server_no_context_takeover", "client_no_context_takeover"):
            return None  # among them 8 window bits, which zlib cannot produce
    return answer, bits


def worth_compressing(frame: Frame) -> bool:
    """Whether `frame` is likely to shrink: text is, binary data if a sample of it does."""
    if frame.size < COMPRESS_ABOVE or frame.dense:
        return False
    if not frame.binary or frame.size <= 4 * SAMPLE:
        return True
    data = memoryview(max(frame.parts, key=len))
    middle = len(data) // 2
    sample = b"".join((data[:SAMPLE], data[middle : middle + SAMPLE], data[-SAMPLE:]))
    return len(zlib.compress(sample, LEVEL)) < 0.9 * len(sample)


def deflate(frame: Frame, bits: int = MAX_WINDOW_BITS) -> bytes:
    """The payload of `frame`, compressed."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -bits)
    pieces = [compressor.compress(part) for part in frame.parts]
    return b"".join((*pieces, compressor.flush(zlib.Z_SYNC_FLUSH)))[: -len(_TAIL)]


def inflate(data: bytes, limit: int) -> bytes:
    """The message that `data` expands to.

    Raises:
        LimitExceeded: if it has more than `limit` bytes; no more than that is expanded.
        zlib.error: if `data` is malformed.
    """
    expander = zlib.decompressobj(-MAX_WINDOW_BITS)
    message = expander.decompress(data + _TAIL, limit + 1)
    if len(message) > limit:
        raise LimitExceeded(f"a message expands to more than {limit} bytes")
    return message


class Deflater:
    """Compresses frames for all connections. One that several are sent is compressed once while they are served."""

    def __init__(self) -> None:
        self._small: tuple[Frame, int, bytes] | None = None
        self._large: dict[tuple[int, int], asyncio.Future[bytes]] = {}

    def small(self, frame: Frame, bits: int) -> Buffer:
        """Compress now."""
        if self._small is None or self._small[0] is not frame or self._small[1] != bits:
            self._small = frame, bits, deflate(frame, bits)
        return self._small[2]

    async def large(self, frame: Frame, bits: int) -> bytes:
        """Compress in a thread."""
        key = id(frame), bits  # `frame` lives as long as the entry: the task that made it holds it
        task = self._large.get(key)
        if task is None:
            task = asyncio.get_running_loop().run_in_executor(None, deflate, frame, bits)
            self._large[key] = task
            task.add_done_callback(lambda _, held=frame: self._large.pop(key, held))  # type: ignore[misc]
        return await asyncio.shield(task)


deflater: Deflater = Deflater()
