"""Large frames, of which picows gets pieces: however a stream comes, the messages, and what ends it, are the same as
those that picows finds alone.

The input is a byte of flags, one from which the cuts follow, and the stream: bytes as they stand behind their number
in one byte; or a kind of payload, which is FILL or more, and its length in three bytes.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import random
import socket
import struct
import zlib
from collections.abc import Sequence
from typing import Any
from unittest import mock

from tests.fuzz.sinks import nothing_raised
from wslink.errors import PeerError
from wslink.session.identity import Opening
from wslink.session.state import OPEN
from wslink.transport import deflate
from wslink.transport.base import TransportOptions
from wslink.transport.framing import INVALID_TEXT, PROTOCOL_ERROR, TOO_BIG
from wslink.transport.picows import private, reading
from wslink.transport.picows.connection import PicowsConnection
from wslink.transport.picows.reading import Reader
from wslink.wire.chunks import HEADER, Unchunker
from wslink.wire.frames import Buffer
from wslink.wire.limits import Limits

PIECE = 64 * 1024
"""The least for which a frame's length has 8 bytes."""
LIMITS = Limits(max_msg_size=3 * PIECE, msg_overhead=0, max_message=5 * PIECE)
MOST = 6 * PIECE
CHUNKED, COMPRESSED, UNDER_WAY = 1, 2, 4
"""Flags: whether the session is of version 2, messages may be compressed, and the stream begins within a frame."""
FILL = 252
BEGUN = 300
ERRORS = tuple(struct.pack(">H", code) for code in (PROTOCOL_ERROR, INVALID_TEXT, TOO_BIG))


def _deflated(data: bytes) -> bytes:
    squeezer = zlib.compressobj(0, wbits=-15)
    return (squeezer.compress(data) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


_noise = random.Random(1).randbytes(MOST)
FILLS = (_noise, ("abcdefé☃" * MOST).encode()[:MOST], _deflated(_noise[: PIECE + 100]) * 4, bytes(MOST))
NOISE, TEXT, DEFLATED, ZEROS = range(FILL, FILL + 4)
WHOLE_DEFLATED = len(FILLS[2]) // 4
REST = FILLS[2][PIECE + 20 : WHOLE_DEFLATED]


def _head(first: int, size: int, mask: bytes = b"\x93\x01\xfe\x5a") -> bytes:
    if size < 126:
        return struct.pack(">BB", first, 0x80 | size) + mask
    return (struct.pack(">BBH", first, 254, size) if size < 65536 else struct.pack(">BBQ", first, 255, size)) + mask


def _as_is(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def _frame(first: int, size: int, kind: int = NOISE, mask: bytes = b"\x93\x01\xfe\x5a", before: bytes = b"") -> bytes:
    """A frame with a payload of that kind, behind some bytes of its own."""
    masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(before))
    return _as_is(_head(first, size, mask) + masked) + bytes((kind,)) + (size - len(before)).to_bytes(3, "little")


def _chunk(offset: int, size: int, total: int, number: int = 5) -> bytes:
    return _frame(0x82, size + HEADER.size, before=HEADER.pack(number, offset, total))


PLAIN = bytes(4)
PING, HALF = _as_is(_head(0x89, 3) + b"abc"), PIECE // 2
SEEDS = [
    b"\x00\x01" + _frame(0x82, PIECE + 7) + PING + _frame(0x82, 3 * PIECE) + _frame(0x82, 5),
    b"\x04\x02" + _frame(0x81, 15_000 * 11, TEXT, PLAIN) + PING + _frame(0x81, 6_000 * 11, TEXT, PLAIN),
    b"\x00\x03" + _frame(0x02, PIECE + 1) + PING + _frame(0x00, PIECE + 1) + PING + _frame(0x80, 3) + PING,
    b"\x01\x04" + _chunk(0, 2 * PIECE, 4 * PIECE) + PING + _chunk(2 * PIECE, 2 * PIECE, 4 * PIECE) + _chunk(0, 9, 9),
    b"\x05\x05" + _chunk(0, 2 * PIECE, 4 * PIECE) + _chunk(0, PIECE, PIECE, 6) + _chunk(PIECE, 2 * PIECE, 4 * PIECE),
    b"\x01\x06" + _chunk(PIECE, 2 * PIECE, 4 * PIECE) + _chunk(3 * PIECE, PIECE, 4 * PIECE) + _chunk(0, PIECE, 9),
    b"\x01\x07" + _chunk(0, 2 * PIECE, 6 * PIECE) + _chunk(0, 2 * PIECE, PIECE, 6) + _chunk(0, 2 * PIECE, 2**32 - 1, 7),
    b"\x02\x08" + _frame(0xC2, WHOLE_DEFLATED, DEFLATED, PLAIN) + PING + _frame(0xC2, 2 * PIECE, NOISE),
    b"\x02\x09" + _frame(0x42, PIECE + 20, DEFLATED, PLAIN) + PING + _frame(0x80, len(REST), before=REST) + PING,
    b"\x00\x0a" + _frame(0x82, 3 * PIECE + 1) + PING,
    b"\x00\x0b" + _frame(0x02, 2 * PIECE) + _frame(0x80, PIECE + 1),
    b"\x00\x0c" + _frame(0x81, 2 * PIECE, NOISE) + _frame(0x82, 9),
    b"\x00\x0d" + PING + _frame(0x88, 2, ZEROS, PLAIN) + _frame(0x82, 9),
    b"\x00\x0e" + _frame(0x82, 2 * PIECE) + _frame(0x88, 0) + _frame(0x82, 2 * PIECE),
    b"\x00\x0f" + _as_is(_head(0x82, 9)[:1] + b"\xff" + struct.pack(">Q", 2**63 + 7)) + PING,
    b"\x00\x10" + _as_is(b"\x82\xff" + struct.pack(">Q", 9) + PLAIN) + PING + _as_is(b"\x82\xfe\x00\x09") + PING,
    b"\x01\x12" + _frame(0x02, 2 * PIECE, before=HEADER.pack(5, 0, 4 * PIECE)) + _frame(0x80, 9),
    b"\x00\x13" + 12 * (_frame(0x82, 400) + PING),
    b"\x00\x11" + _frame(0xA2, 2 * PIECE) + _frame(0x82, PIECE + 1) + _frame(0x89, 2 * PIECE),
]  # fmt: skip


class _Wire:
    """asyncio's transport, of which nothing is read and which keeps what is written."""

    def __init__(self) -> None:
        self.paused = self.closing = False
        self.written = b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return SOCKET if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return 1  # so that nobody writes to the socket

    def set_write_buffer_limits(self, high: int, low: int) -> None: ...

    def set_protocol(self, protocol: object) -> None: ...

    def get_protocol(self) -> _Wire:
        return self

    def refuse(self) -> None: ...

    def write(self, data: Buffer) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closing = True

    abort = close

    @property
    def closed_with(self) -> bytes | None:
        """The payload of the first close frame, if there is one."""
        left = self.written.partition(b"\r\n\r\n")[2]
        while left:
            if left[0] == 0x88:
                return left[2 : 2 + left[1]]
            left = left[2 + left[1] :]
        return None


class _Taker:
    """A session that keeps what it is given."""

    state = OPEN
    client_id = "c"

    def __init__(self, wire: _Wire, chunked: bool) -> None:
        self.chunked = chunked
        self.found: list[Any] = []
        self.size = 0
        self.connection: PicowsConnection
        self._unchunker = Unchunker(LIMITS)
        self._wire = wire

    def receive(self, binary: bool, data: Buffer | str) -> None:
        self.size += len(data)
        if not self.chunked:
            self._keep(binary, data)
            return
        try:
            message: Any = self._unchunker.receive(data) if binary else data
        except PeerError:
            self.found.append(PeerError)
        else:
            if message is not None:
                self._keep(binary, message)

    def _keep(self, binary: bool, data: Buffer | str) -> None:
        digest = hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
        self.found.append((binary, len(data), digest))

    def uncount(self, size: int) -> None:
        self.size -= size

    def close(self, code: int, reason: str) -> None:
        self.connection.close(code, reason)

    def charge(self, seconds: float) -> None: ...

    def resume(self) -> None: ...

    def closed(self, asked: bool) -> None: ...


class _End:
    """One end of a connection that is open.

    Args:
        flags: see the module.
    """

    def __init__(self, flags: int) -> None:
        self.wire = _Wire()
        self.taker = _Taker(self.wire, bool(flags & CHUNKED))
        options = TransportOptions(
            limits=LIMITS, heartbeat=0, compress=True, opened=lambda *_: self.taker, ended=lambda _: None
        )
        agreement = deflate.negotiate("permessage-deflate") if flags & COMPRESSED else None
        self.connection = self.taker.connection = PicowsConnection(options, agreement, Opening())
        with mock.patch.object(private, "Gate", self._keep):
            private.begin(self.wire, "AAAAAAAAAAAAAAAAAAAAAA==", LIMITS.max_frame, self.connection, {})  # type: ignore[arg-type]

    def _keep(self, inner: Any, *_: object) -> None:
        self.inner = inner

    async def feed(self, stream: bytes, reader: Any, cuts: Sequence[int] = ()) -> bool:
        """Give `reader` the stream, cut where it is said, ascending; whether all of it was read before the end."""
        at = 0
        for cut in (*cuts, len(stream)):
            while at < cut and not self.ended:
                view = reader.get_buffer(-1)
                size = min(len(view), cut - at)
                assert size
                view[:size] = stream[at : at + size]
                at += size
                reader.buffer_updated(size)
                while self.wire.paused and not self.wire.closing:
                    await asyncio.sleep(0)
        return not self.ended

    @property
    def ended(self) -> bool:
        return self.wire.closing or self.wire.closed_with is not None

    def close(self) -> None:
        self.inner.connection_lost(None)


def expanded(data: bytes, cuts: random.Random) -> tuple[bytes, list[int]]:
    """The stream of an input, and where it is cut: within what stands as it is, such as heads, and anywhere."""
    stream, at = bytearray(), list[int]()
    while data and len(stream) < MOST:
        first = data[0]
        if first < FILL:
            at += (len(stream) + cuts.randrange(first + 1) for _ in range(cuts.randrange(3)))
            stream += data[1 : 1 + first]
            data = data[1 + first :]
        else:
            stream += FILLS[first - FILL][: int.from_bytes(data[1:4], "little")]
            data = data[4:]
    at += (cuts.randrange(MOST) for _ in range(cuts.randrange(5)))
    return bytes(stream[:MOST]), sorted(one for one in at if one < min(len(stream), MOST))


SOCKET, _OTHER = socket.socketpair()
LOOP = asyncio.new_event_loop()
LOOP.call_later = lambda *_: asyncio.Handle(int, (), LOOP)  # type: ignore[method-assign] # no time passes here
atexit.register(LOOP.close)


def run(data: bytes) -> None:
    data = data[: 2**14]  # too few bytes for more frames than may come late
    with nothing_raised(), mock.patch.multiple(reading, PIECE=PIECE, MAX_READ=HALF):
        LOOP.run_until_complete(_compare((data[:1] or b"\0")[0], *expanded(data[2:], random.Random(data[1:2]))))


def _lacking(stream: bytes) -> int:
    """Bytes that the last frame lacks, if its head is there."""
    at = 0
    while len(stream) - at > 1:
        length, start = stream[at + 1] & 127, 2
        if length > 125:
            start = 4 if length == 126 else 10
            length = int.from_bytes(stream[at + 2 : at + start], "big")
        if len(stream) - at < start:
            break
        at += start + 4 + length
    return max(at - len(stream), 0)


def _until_error(taker: _Taker) -> list[Any]:
    """What was found up to the first chunk that violates the protocol. Which of its mistakes is found, and how much of
    what follows it is skipped, depends on the pieces in which it came."""
    found = taker.found
    return found[: found.index(PeerError) + 1] if PeerError in found else found


async def _compare(flags: int, stream: bytes, cuts: list[int]) -> None:
    begun = _head(0x82, BEGUN) + bytes(BEGUN) if flags & UNDER_WAY else b""
    plain, cut = _End(flags), _End(flags)
    whole = await plain.feed(begun + stream, plain.inner)
    await cut.feed(begun[:100], cut.inner)
    reader = Reader(cut.inner, cut.connection, LIMITS.max_frame, len(begun[100:]))
    await cut.feed(begun[100:], reader)
    await cut.feed(stream, reader, cuts)
    assert len(reader.get_buffer(-1)) <= 4 * PIECE
    if whole:  # pieces may be wrong before picows has a whole frame
        for end, protocol in ((plain, plain.inner), (cut, reader)):
            await end.feed(bytes(_lacking(stream)), protocol)
    found, expected, ends = (
        _until_error(cut.taker),
        _until_error(plain.taker),
        [end.wire.closed_with for end in (plain, cut)],
    )
    # picows reads one frame ahead: of an error and what stands before it, it depends on the cuts which is found first.
    any_error = any(code is not None and code[:2] in ERRORS for code in ends)
    assert ends[0] == ends[1] or (any_error and None not in ends), ends
    if whole or not any_error:
        assert found == expected
    else:
        assert found[: len(expected)] == expected[: len(found)]
    if ends == [None, None]:
        assert cut.taker.size == plain.taker.size
    plain.close()
    cut.close()
