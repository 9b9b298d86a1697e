"""Messages in the form of recordings (REC-3), created from what was sent when the recording is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from wslink.errors import NotSerializable
from wslink.wire import recording
from wslink.wire.chunks import FIT_BELOW, HEADER_LENGTH
from wslink.wire.codec import V1, V2_WITH_ARRAYS
from wslink.wire.decoders import COPIES
from wslink.wire.frames import Buffer, Frame, Message
from wslink.wire.limits import Limits
from wslink.wire.messages import VERSION, Request
from wslink.wire.v1_json import V1Decoder
from wslink.wire.v2_msgpack import Packed
from wslink.wire.value import Value

MAX_FRAME = 2**30
COPIED = 1024
"""Bytes of a message up to which it is copied: that costs less than to keep it."""
FRAME_COST = 256
"""Bytes that each frame of a message costs beside its own."""
PAYLOAD_COST = 256
"""Bytes that the payload of a publication costs beside its own: it is in pieces."""
_UNBOUNDED = Limits(
    auth_msg_size=2**40, max_message=2**40, max_elements=2**40, max_attachments=2**40, max_attachment_bytes=2**40
)


class Payload(NamedTuple):
    """The payload of a publication, as an encoder has packed it."""

    topic: str
    packed: Value


Sent = Message | Payload | Request | Sequence[Buffer] | bytes | None
"""A message that was sent; a payload; a call; the parts of a message without the header of its chunk; a chunk that was
sent; or that of an event."""


class _Call(msgspec.Struct, tag_field="wslink", tag=VERSION, omit_defaults=True, gc=False):
    """A call (MSG-1)."""

    id: str
    method: str
    args: list[Value]
    kwargs: dict[str, Value]
    stream: int | None = None


def _leave(value: Value) -> Value:
    raise TypeError(type(value))


_plain = msgspec.msgpack.Encoder(enc_hook=_leave)
pack_into: Callable[[Value, bytearray, int], None] = _plain.encode_into
"""Appends a value to a buffer, at its end (-1) or there, or raises an exception for one that msgspec does not know."""


def pack_call(request: Request) -> list[Buffer]:
    """Encode a call that has arrived, since its method may change the arguments. Raises NotSerializable if an argument
    is a stream."""
    options = {} if request.stream is None else {"stream": request.stream}
    args, kwargs = request.args, request.kwargs
    return recording.parts_of(V2_WITH_ARRAYS.call(request.id, request.method, args, kwargs, MAX_FRAME, options))


def with_room(size: int) -> int:
    """The capacity of bytes from an encoder, which leaves spare room behind them."""
    return size + (size >> 1) if size < FIT_BELOW else size


def pack_reply(message: Mapping[str, Value]) -> list[Buffer]:
    """Encode a client's response to a call of the server. Raises NotSerializable."""
    error = message.get("error")
    if isinstance(error, dict):
        return recording.parts_of(V2_WITH_ARRAYS.failure(message["id"], error, MAX_FRAME))
    return recording.parts_of(V2_WITH_ARRAYS.result(message["id"], message.get("result"), MAX_FRAME))


def kept_of(message: Message) -> tuple[Sent, int]:
    """What is kept of a message that is sent, and the bytes that it counts."""
    if message.source is not None:
        return message, message.size + FRAME_COST + FRAME_COST * len(message.source.parts)
    frames = message.frames
    if len(frames) == 1 and frames[0].binary and type(frames[0].parts[0]) is bytes and len(frames[0].parts) == 1:
        return frames[0].parts[0], message.size
    return message, message.size + FRAME_COST * len(frames)


def message_of(kind: int, kept: Sent, number: int) -> Sequence[Buffer] | None:
    """The parts of a record's message, without its chunk header.

    Args:
        kind: the record's kind.
        number: the record's number.

    Raises:
        NotSerializable: it was sent to a client of version 1, and version 2 cannot represent it.
        PeerError: likewise.
    """
    if kept is None:
        return None
    if isinstance(kept, Payload):
        return _publication(f"publish:{kept.topic}:{number}", kept.packed)
    parts: Sequence[Buffer]
    if isinstance(kept, Request):
        return [_plain.encode(_Call(kept.id, kept.method, kept.args, kept.kwargs, kept.stream))]
    if isinstance(kept, bytes):
        parts = [memoryview(kept)[HEADER_LENGTH:]]
    elif not isinstance(kept, Message):
        parts = kept
    elif kept.source is None and not kept.frames[0].binary:
        return _of_version_1(kept.frames)
    else:
        parts = recording.parts_of(kept)
    return _item(parts) if kind == recording.ITEM else parts


def _item(parts: Sequence[Buffer]) -> Sequence[Buffer]:
    """An item of a stream, as a result (REC-3)."""
    _, id_, _, value = COPIES.value.decode(b"".join(parts))
    return recording.parts_of(V2_WITH_ARRAYS.result(id_, value, MAX_FRAME))


def _publication(id_: str, packed: Value) -> Sequence[Buffer]:
    """A publication, without subscriptions, from its payload as an encoder of either version has packed it."""
    if not isinstance(packed, Packed):
        packed = V2_WITH_ARRAYS.pack(_received(V1.publication(id_, packed, None, MAX_FRAME).frames)["result"])
    return recording.parts_of(V2_WITH_ARRAYS.publication(id_, packed, None, MAX_FRAME))


def _of_version_1(frames: Sequence[Frame]) -> Sequence[Buffer]:
    """A response that was sent to a client of version 1."""
    message = _received(frames)
    if "error" in message:
        return recording.parts_of(V2_WITH_ARRAYS.failure(message["id"], message["error"], MAX_FRAME))
    return recording.parts_of(V2_WITH_ARRAYS.result(message["id"], message.get("result"), MAX_FRAME))


def _received(frames: Sequence[Frame]) -> dict[str, Value]:
    """Decode frames like a client of version 1."""
    decoder = V1Decoder(_UNBOUNDED)
    message: Value = None
    for frame in frames:
        data = bytes(frame.joined())
        message = decoder.receive(frame.binary, data if frame.binary else data.decode())
    if not isinstance(message, dict):
        raise NotSerializable("no message of version 1")
    return message
