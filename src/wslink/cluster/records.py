"""Records between workers: a head that all of them decode, and a payload that only the recipients decode."""

from __future__ import annotations

import struct
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from wslink.errors import NotSerializable
from wslink.wire.decoders import MALFORMED
from wslink.wire.frames import Buffer
from wslink.wire.value import Value

_LENGTH = struct.Struct("<I")
_BY_REFERENCE = 1 << 31
"""In the length of a head: a reference follows it, and no payload."""
Reference = tuple[str, int]
"""The name of a file in the memory of the publisher's host (cluster.host_memory), and its bytes."""
_ARRAY = struct.Struct(">BH")
_BEFORE = 3
"""Items of a head before the fields: kind, origin and number."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Any])
_references = msgspec.msgpack.Decoder(Reference)

PUBLICATION, STATE, CAME, GONE, JOINED, LEFT, BEAT, HELLO, BYE, DEAD, RETAINED, COMMAND, CALL, CANCEL, RESULT = (
    "pscgjlbhxdrokna"
)
MOVE, MOVED, LEAVING = "mvf"
"""Kinds of records: a publication; all clients of a worker; one that came, went, joined a group, left it; a sign of
life; a worker that asks for what others know; one that ends; one that was found dead; a retained value for one that
asked; a command about a client of another worker; a call of one, that it is given up, and its result; that a session
is to move, that it has; a worker that takes no more."""


class Draft:
    """A record that waits to be appended. Its number is assigned at the first attempt. Its fields are encoded at once,
    so that whoever passed a value that cannot be encoded gets the error, and no other record is affected.

    Attributes:
        number: see above; 0 until then.
        size: the approximate bytes that it takes while it waits.
        buffers: the payload.

    Raises:
        NotSerializable: a field cannot be encoded.
    """

    __slots__ = ("_count", "_fields", "buffers", "kind", "number", "size")

    def __init__(self, kind: str, fields: Sequence[Value], buffers: Sequence[Buffer] = ()) -> None:
        self.kind = kind
        self.number: int = 0
        self.size: int = 256 + sum(map(len, buffers))
        self._count = _BEFORE + len(fields)
        self._fields = b"".join([_encoded(one) for one in fields])
        self.buffers = buffers

    def encode(self, origin: str, number: int, reference: Reference | None = None) -> bytes:
        """The record, with a reference instead of its payload if one is given."""
        head = b"".join(
            (_ARRAY.pack(0xDC, self._count), *map(_encoder.encode, (self.kind, origin, number)), self._fields)
        )
        if reference is not None:
            return b"".join((_LENGTH.pack(len(head) | _BY_REFERENCE), head, _encoder.encode(reference)))
        return b"".join((_LENGTH.pack(len(head)), head, *self.buffers))


@dataclass(slots=True)
class Record:
    """A record that was read.

    Attributes:
        payload: empty until it is fetched, if there is a `reference`.
    """

    kind: str
    origin: str
    number: int
    fields: list[Any]
    payload: memoryview
    reference: Reference | None = None


def decode(data: bytes) -> Record | None:
    """Decode a record, without its payload; None if it is malformed."""
    view, reference = memoryview(data), None
    try:
        (length,) = _LENGTH.unpack_from(view)
        if length & _BY_REFERENCE:
            length -= _BY_REFERENCE
            reference = _references.decode(view[4 + length :])
            view = view[: 4 + length]
        kind, origin, number, *fields = _decoder.decode(view[4 : 4 + length])
    except (struct.error, *MALFORMED):
        return None
    if not (isinstance(kind, str) and isinstance(origin, str) and isinstance(number, int)):
        return None
    return Record(kind, origin, number, fields, view[4 + length :], reference)


def check(value: Value) -> Value:
    """Check `value`, which becomes part of a head. Raises NotSerializable."""
    _encoded(value)
    return value


def _encoded(value: Value) -> bytes:
    """Raises NotSerializable."""
    try:
        return _encoder.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotSerializable(f"this cannot be sent to other workers: {error}") from error


def hashable(value: Value) -> Hashable:
    """A key as it was before it was encoded: tuples were encoded as lists."""
    return tuple(hashable(one) for one in value) if isinstance(value, list) else value
