"""permessage-deflate (RFC 7692), decided per message.

Outgoing messages are compressed without context takeover: no connection keeps a window for them, and a message for many
clients is compressed once. Nothing is demanded of clients that they did not offer: a client's window is kept, unless it
offered to do without context takeover.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import NamedTuple, Protocol

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


class Agreement(NamedTuple):
    """The negotiated parameters.

    Attributes:
        answer: the Sec-WebSocket-Extensions header of the response.
        bits: the server's window bits.
        takeover: whether the client may refer to its earlier messages.
    """

    answer: str
    bits: int
    takeover: bool


def negotiate(offers: str) -> Agreement | None:
    """Answer a Sec-WebSocket-Extensions header; None if no offer can be accepted."""
    for offer in offers.split(","):
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == "permessage-deflate":
            agreement = _accept([parameter.partition("=")[::2] for parameter in parameters])
            if agreement is not None:
                return agreement
    return None


def _accept(parameters: list[tuple[str, str]]) -> Agreement | None:
    bits, answer = MAX_WINDOW_BITS, "permessage-deflate; server_no_context_takeover"
    names = [key.strip() for key, _ in parameters]
    if len(set(names)) < len(names):  # RFC 7692, 7.1: declined
        return None
    for key, value in zip(names, (value.strip().strip('"') for _, value in parameters), strict=True):
        if key == "server_max_window_bits" and 9 <= _bits(value) <= MAX_WINDOW_BITS:
            bits, answer = _bits(value), f"{answer}; {key}={value}"
        elif key == "client_no_context_takeover" and not value:
            answer = f"{answer}; {key}"
        elif not (key == "server_no_context_takeover" and not value) and not (
            key == "client_max_window_bits" and (not value or 8 <= _bits(value) <= 15)
        ):
            return None  # including 8 window bits for the server, which zlib does not support
    return Agreement(answer, bits, "client_no_context_takeover" not in names)


def _bits(value: str) -> int:
    """Parse a number of window bits (RFC 7692, 7.1.2.1); 0 if it is not valid."""
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 2 else 0


def worth_compressing(frame: Frame) -> bool:
    """Whether `frame` is likely to shrink: text is, and binary data if a sample of it does."""
    if frame.size < COMPRESS_ABOVE or frame.dense:
        return False
    if not frame.binary or frame.size <= 4 * SAMPLE:
        return True
    data = memoryview(max(frame.parts, key=len))
    middle = len(data) // 2
    sample = b"".join((data[:SAMPLE], data[middle : middle + SAMPLE], data[-SAMPLE:]))
    return len(zlib.compress(sample, LEVEL)) < 0.9 * len(sample)


def deflate(frame: Frame, bits: int = MAX_WINDOW_BITS) -> bytes:
    """Compress the payload of `frame`."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -bits)
    pieces = [compressor.compress(part) for part in frame.parts]
    return b"".join((*pieces, compressor.flush(zlib.Z_SYNC_FLUSH)))[: -len(_TAIL)]


class Expander(Protocol):
    """A decompressor of zlib."""

    @property
    def unused_data(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


class Inflater:
    """Expands the messages of one client.

    Args:
        takeover: whether a message may refer to earlier ones. If so, the window is kept from the first message on.
    """

    __slots__ = ("_expander", "_takeover")

    def __init__(self, takeover: bool) -> None:
        self._takeover = takeover
        self._expander: Expander | None = None

    def inflate(self, data: bytes, limit: int) -> bytes:
        """Expand a message. May be called from any thread, for one message at a time.

        Raises:
            LimitExceeded: the message has more than `limit` bytes; no more than that is expanded.
            zlib.error: the data is malformed.
        """
        expander = self._expander or zlib.decompressobj(-MAX_WINDOW_BITS)
        message = expander.decompress(data + _TAIL, limit + 1)
        if len(message) > limit:
            raise LimitExceeded(f"a message expands to more than {limit} bytes")
        if expander.eof and expander.unused_data not in (_TAIL, b"\x00" + _TAIL):  # RFC 7692, 7.2.3.4
            raise zlib.error("data after a final block")
        self._expander = expander if self._takeover and not expander.eof else None
        return message


class Deflater:
    """Compresses frames for all connections. A frame for several connections is compressed once while they are
    served."""

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
