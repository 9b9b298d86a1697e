"""Recordings: messages with their times, in the file format of docs/protocol/recordings.md (REC)."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from wslink.errors import ParseError, PeerError, UsageError
from wslink.wire.chunks import HEADER_LENGTH
from wslink.wire.decoders import COPIES, MALFORMED, reason
from wslink.wire.frames import Buffer, Message
from wslink.wire.limits import MIB, Limits
from wslink.wire.maps import check_packed
from wslink.wire.value import Value

MAGIC = b"\x89WSREC\r\n"  # REC-1
VERSION = 1
MAX_FILE = 2048 * MIB
"""LIM-22: bytes of a recording that is read."""
MAX_RECORDS = 1_000_000
"""LIM-22: records in it."""
ABOUT, CALL, RESPONSE, PUBLICATION, EVENT, ITEM, ASKED, REPLY = range(8)  # REC-3
_KINDS = ("about", "call", "response", "publication", "event", "item", "call of the server", "response of a client")
COPIED = 4096
"""Bytes of a message up to which it is copied into its record."""
_NUMBER = struct.Struct("<I")
_BIN32 = struct.Struct(">BI")
_LIMITS = Limits()

Tags = Mapping[str, "str | int | float | bool"]


class RecordingError(UsageError):
    """A file is not a recording, or one that this version cannot read. The message says where and why."""


class TopicAbout(msgspec.Struct):
    """A topic's description in a recording."""

    delivery: str = "reliable"


class About(msgspec.Struct):
    """The description in a recording's header (REC-4).

    Attributes:
        wslink: the version that wrote it.
        source: "server" or "client": which end recorded.
        created: seconds since the epoch at time 0.
        reason: why it was written.
        left_out: the number of records that did not fit into the ring.
        topics: the server's topics, by name.
    """

    wslink: str = ""
    source: str = "server"
    created: float = 0.0
    reason: str = ""
    left_out: int = 0
    topics: dict[str, TopicAbout] = {}


class Record(NamedTuple):
    """One record (REC-3).

    Attributes:
        kind: any but ABOUT.
        time: seconds since the recording began.
        clients: the ids of the clients that sent or received the message; none if unknown.
        about: the tags of a publication, None if unknown; for an event, what happened.
        message: the message of protocol version 2, without chunk headers; None for an event.
    """

    kind: int
    time: float
    clients: Sequence[str]
    about: Tags | str | None
    message: Buffer | None


class _Row(msgspec.Struct, array_like=True):
    """A record in a file. Later versions may add items."""

    kind: int
    time: float
    clients: list[str]
    about: Value = None
    message: memoryview | None = None


_rows = msgspec.msgpack.Decoder(_Row, strict=True)


def head(about: About) -> list[Buffer]:
    """The beginning of a file (REC-1, REC-4)."""
    return [MAGIC, _NUMBER.pack(VERSION), *pack(ABOUT, 0.0, (), msgspec.to_builtins(about), None)]


def pack(
    kind: int, time: float, clients: Sequence[str], about: Value, message: Sequence[Buffer] | None
) -> list[Buffer]:
    """A record as it is stored in a file (REC-2, REC-3). `message` is the result of `parts_of`."""
    encode = msgspec.msgpack.encode
    if message is None or (len(message) == 1 and len(message[0]) < COPIED):
        whole = encode((kind, time, clients, about, message[0] if message else None))
        return [_NUMBER.pack(len(whole)) + whole]
    text = b"".join((b"\x95", encode(kind), encode(time), encode(clients), encode(about)))
    size = sum(map(len, message))
    text += _BIN32.pack(0xC6, size)
    return [_NUMBER.pack(len(text) + size), text, *message]


def parts_of(message: Message) -> list[Buffer]:
    """The parts of an encoded message of protocol version 2, without its chunk header."""
    if message.source is not None:
        return list(message.source.parts)
    return [memoryview(message.frames[0].joined())[HEADER_LENGTH:]]


def decode(message: Buffer, limits: Limits = _LIMITS) -> dict[str, Value]:
    """Decode the envelope of a recorded message. Its arrays and bytes are copies. Raises ParseError, LimitExceeded."""
    check_packed(message, limits.max_elements)
    try:
        envelope = COPIES.value.decode(message)
    except MALFORMED as error:
        raise ParseError(f"malformed MessagePack: {reason(error)}") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("id"), str):
        raise ParseError("a message must be a map with an id")
    return envelope


class Reader:
    """Reads a recording in memory. If the file ends in the middle of a record, it was cut off, and the complete records
    are read (REC-2).

    Args:
        data: the file.
        limits: the limits on the values in a record (LIM-13).

    Attributes:
        about: the recording's description.
        truncated: whether it ends in the middle of a record; known after all records have been read.

    Raises:
        RecordingError: it is not a recording, or has another version.
    """

    def __init__(self, data: Buffer, limits: Limits = _LIMITS) -> None:
        self._data = memoryview(data)
        self._limits = limits
        self._at = len(MAGIC) + _NUMBER.size
        self._count = 0
        self.truncated: bool = False
        if bytes(self._data[: len(MAGIC)]) != MAGIC:
            raise RecordingError("this is not a recording of wslink: it does not begin as one")
        if len(self._data) < self._at:
            raise RecordingError("the recording ends before its version")
        version = _NUMBER.unpack_from(self._data, len(MAGIC))[0]
        if version != VERSION:
            raise RecordingError(f"the recording is of version {version}; this wslink reads version {VERSION}")
        first = self._next()
        if first is None or first.kind != ABOUT:
            raise RecordingError("the recording does not say what it holds: its first record is missing")
        try:
            self.about: About = msgspec.convert(first.about, About)
        except (msgspec.ValidationError, RecursionError) as error:
            raise RecordingError(f"the recording says wrong things of itself: {error}") from error

    def __iter__(self) -> Iterator[Record]:
        """The records, in the order of the file, except for unknown kinds. Raises RecordingError."""
        latest = 0.0
        while (row := self._next()) is not None:
            if not 0 < row.kind < len(_KINDS):
                continue
            latest = max(latest, row.time)
            yield Record(row.kind, latest, row.clients, self._about(row), row.message)

    def _next(self) -> _Row | None:
        """The next record; None at the end."""
        begin = self._at + _NUMBER.size
        if begin > len(self._data):
            self.truncated = self._at < len(self._data)
            return None
        end = begin + _NUMBER.unpack_from(self._data, self._at)[0]
        if end > len(self._data):
            self.truncated = True
            return None
        self._count += 1
        if self._count > MAX_RECORDS + 1:
            raise self._error(f"there are over MAX_RECORDS ({MAX_RECORDS}) records")
        text = self._data[begin:end]
        try:
            check_packed(text, self._limits.max_elements)
            row = _rows.decode(text)
        except PeerError as error:
            raise self._error(error.message) from error
        except (*MALFORMED,) as error:
            raise self._error(reason(error)) from error
        if not (math.isfinite(row.time) and row.time >= 0):
            raise self._error(f"its time is {row.time}")
        self._at = end
        return row

    def _about(self, row: _Row) -> Tags | str | None:
        """Decode the metadata of a record. Raises RecordingError."""
        about = row.about
        if row.kind == EVENT:
            if isinstance(about, str):
                return about
            raise self._error("an event does not say what happened")
        if row.message is None:
            raise self._error(f"a {_KINDS[row.kind]} has no message")
        if about is None or row.kind != PUBLICATION:
            return None
        if isinstance(about, dict) and all(isinstance(one, (str, int, float, bool)) for one in about.values()):
            return about
        raise self._error("the tags of a publication are not text, numbers or booleans")

    def _error(self, why: str) -> RecordingError:
        return RecordingError(f"record {self._count} of the recording (at byte {self._at}): {why}")
