"""Protocol version 2: chunked MessagePack (docs/protocol/version-2.md)."""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.msgpack import Ext

from wslink.errors import NotSerializable, ParseError, PeerError
from wslink.wire import arrays, maps
from wslink.wire.chunks import (
    COPY_BELOW,
    HEADER,
    HEADER_LENGTH,
    JOIN_BELOW,
    Unchunker,
    cut,
    message_ids,
    whole,
)
from wslink.wire.decoders import COPIES, MALFORMED, PLAIN, VIEWS, Decoders, reason
from wslink.wire.depth import is_deep_packed
from wslink.wire.frames import Buffer, Frame, Message
from wslink.wire.heads import packed_id
from wslink.wire.large import FLAT, Large, mark_large
from wslink.wire.limits import EARLY_ELEMENTS, Limits
from wslink.wire.messages import INCOMPLETE, VERSION, Request
from wslink.wire.partial import Landed, Partial
from wslink.wire.plain import TOO_DEEP, not_serializable, to_plain, wrong_key
from wslink.wire.unsendable import Unsendable, placed
from wslink.wire.value import Value

# A value that is sent from where it is leaves this mark in the encoded text: an extension no peer can know, nor forge.
_MARK_CODE, _MARK_TOKEN = 127, os.urandom(16)
_MARK = msgspec.msgpack.encode(Ext(_MARK_CODE, _MARK_TOKEN))

_ENVELOPE = msgspec.msgpack.encode({"wslink": VERSION, "id": ""})[1:-1]
_RESULT, _ERROR, _METHOD, _ARGS, _KWARGS, _SUBSCRIPTIONS = (
    msgspec.msgpack.encode(key) for key in ("result", "error", "method", "args", "kwargs", "subscriptions")
)
_MAP3, _MAP5 = b"\x83", b"\x85"

Option = int | bool | str
"""A value that an extension adds to a message under a separate key."""
NO_OPTIONS: Mapping[str, Option] = {}

_encode = msgspec.msgpack.encode


class _Splice(msgspec.Struct, frozen=True):
    """A large binary value and the head of its extension, or None for plain `bin`."""

    head: bytes | None
    data: Buffer


class _Result(msgspec.Struct, tag_field="wslink", tag=VERSION):
    """A call's result (MSG-1)."""

    id: str
    result: Value


class Packed(msgspec.Struct):
    """An encoded value: texts with large values between them. `texts` has one more item than `splices`."""

    texts: Sequence[bytes]
    splices: Sequence[_Splice]

    def flatten(self) -> tuple[list[Value], list[Buffer]]:
        """Return an encodable value with which `restore` can recreate it, and the bytes of its large values."""
        heads: list[Value] = [[len(text), one.head, len(one.data)] for text, one in zip(self.texts, self.splices)]  # noqa: B905
        buffers: list[Buffer] = []
        for text, splice in zip(self.texts, self.splices):  # noqa: B905 - the last text follows
            buffers += (text, splice.data)
        return heads, [*buffers, self.texts[-1]]

    @classmethod
    def restore(cls, heads: Sequence[Value], data: memoryview) -> Packed:
        """The opposite of `flatten`, which returned `heads` and the bytes in `data`. Large values become views of
        these."""
        texts, splices, at = [], [], 0
        for length, head, size in heads:
            texts.append(bytes(data[at : at + length]))
            splices.append(_Splice(head, data[at + length : at + length + size]))
            at += length + size
        return cls([*texts, bytes(data[at:])], splices)


class V2Encoder:
    """Encodes values and messages. Thread-safe.

    Args:
        arrays: whether the peer accepted typed arrays (ARR-1).
    """

    version = 2

    def __init__(self, arrays: bool = False) -> None:
        self._arrays = arrays
        self._local = threading.local()
        self._encoder = msgspec.msgpack.Encoder(enc_hook=self._hook)

    def pack(self, value: Value) -> Packed:
        """Encode a value.

        Raises:
            NotSerializable: the message names the type that cannot be encoded, or the reason.
        """
        return self._pack(value, None)

    def unpack(self, packed: Packed) -> Value:
        """Decode an encoded value. Its arrays and bytes are copies."""
        text = bytearray(packed.texts[0])
        for splice, following in zip(packed.splices, packed.texts[1:], strict=True):
            text += _splice_header(splice, len(text))
            text += splice.data
            text += following
        return COPIES.value.decode(text)

    def _pack(self, value: Value, id_: str | None) -> Packed:
        """Encode a value, or the result of the call `id_`."""
        splices: list[_Splice] = []
        self._local.splices = splices
        try:
            marked, is_known = mark_large(value)
            text = self._encoder.encode(marked if id_ is None else _Result(id_, marked))
            if not is_known:
                _check_keys(text, value)
        except Unsendable as error:
            raise placed(error, value) from None
        except NotSerializable:
            raise
        except Exception as error:  # a property or an iterator of the application's may raise anything
            raise not_serializable(error) from error
        return Packed(text.split(_MARK) if splices else (text,), splices)

    def _text(self, value: Value) -> bytes:
        try:
            return self._encoder.encode(value)
        except Exception as error:  # an integer beyond 64 bits, half of a surrogate pair
            raise not_serializable(error) from error

    def _hook(self, value: Value) -> Value:
        if type(value) is Large:
            return self._splice(None, value.data)
        if not arrays.is_array(value):
            return to_plain(value)
        dtype, data = arrays.array_bytes(value)
        head = arrays.array_head(dtype, value.shape) if self._arrays else None
        if len(data) >= arrays.ALIGN_ABOVE:
            return self._splice(head, data)
        return data if head is None else Ext(arrays.EXT_TYPE, head + data)

    def _splice(self, head: bytes | None, data: Buffer) -> Ext:
        self._local.splices.append(_Splice(head, data))
        return Ext(_MARK_CODE, _MARK_TOKEN)

    def result(self, id_: str, value: Value, max_frame: int, number: int = 0) -> Message:
        """Encode the result of a call; with the given message number if it is small (RES-2). Raises NotSerializable."""
        if type(value) in FLAT:
            try:
                text = self._encoder.encode(_Result(id_, value))
            except Exception:
                text = self._text(_Result(id_, value))  # names the reason
            total = len(text)
            if total < JOIN_BELOW - HEADER_LENGTH and total <= max_frame - HEADER_LENGTH:  # as `whole`: most results
                payload = HEADER.pack(number or next(message_ids) & 0xFFFFFFFF, 0, total) + text
                return Message((Frame(True, (payload,), HEADER_LENGTH + total, False),), HEADER_LENGTH + total)
            return whole(text, max_frame, number)
        packed = self._pack(value, id_)
        if not packed.splices:
            return whole(packed.texts[0], max_frame, number)
        return _compose(b"", packed, b"", max_frame, number)

    def failure(self, id_: str, error: dict[str, Value], max_frame: int) -> Message:
        """Encode the error of a call. Raises NotSerializable if the error's data cannot be encoded."""
        return _compose(b"".join((_MAP3, _ENVELOPE, _encode(id_), _ERROR)), self._pack(error, None), b"", max_frame)

    def publication(
        self,
        id_: str,
        packed: Packed,
        subscriptions: tuple[int, ...] | None,
        max_frame: int,
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> Message:
        """Encode a publication with a packed payload; `subscriptions` is None for a peer that did not announce them
        (SUB-6). Extensions add `options`."""
        size = bytes((_MAP3[0] + (subscriptions is not None) + len(options),))
        tail = b"" if subscriptions is None else _SUBSCRIPTIONS + _encode(subscriptions)
        return _compose(b"".join((size, _ENVELOPE, _encode(id_), _added(options), _RESULT)), packed, tail, max_frame)

    def extension(self, items: Sequence[Value], max_frame: int) -> Message:
        """Encode a message of an extension that contains the application's values (EXT-4). Raises NotSerializable."""
        packed = self._pack(items, None)
        return _compose(b"", packed, b"", max_frame) if packed.splices else whole(packed.texts[0], max_frame)

    def call(
        self,
        id_: str,
        method: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        max_frame: int,
        options: Mapping[str, Option] = NO_OPTIONS,
    ) -> Message:
        """Encode a call. Extensions add `options`. Raises NotSerializable."""
        size = bytes((_MAP5[0] + len(options),))
        try:
            prefix = b"".join((size, _ENVELOPE, _encode(id_), _added(options), _METHOD, _encode(method), _ARGS))
        except UnicodeError as error:  # half of a surrogate pair in the name
            raise not_serializable(error) from error
        packed_args, packed_kwargs = self._pack(args, None), self._pack(kwargs, None)
        texts = [
            *packed_args.texts[:-1],
            packed_args.texts[-1] + _KWARGS + packed_kwargs.texts[0],
            *packed_kwargs.texts[1:],
        ]
        return _compose(prefix, Packed(texts, [*packed_args.splices, *packed_kwargs.splices]), b"", max_frame)


def _added(options: Mapping[str, Option]) -> bytes:
    return b"".join(_encode(key) + _encode(value) for key, value in options.items()) if options else b""


def _check_keys(text: bytes, value: Value) -> None:
    """Raise NotSerializable if `value`, encoded as `text`, nests too deeply or has a map with a key that peers cannot
    represent (MSG-8)."""
    if is_deep_packed(text):
        raise NotSerializable(TOO_DEEP)
    try:
        maps.check_packed(text, len(text))
    except PeerError as error:
        raise NotSerializable(wrong_key(value) if error.message == maps.WRONG_KEY else TOO_DEEP) from error


def _compose(prefix: bytes, packed: Packed, tail: bytes, max_frame: int, number: int = 0) -> Message:
    """Assemble a message and cut it into chunks. The padding of arrays is determined here, where offsets are known
    (ARR-4)."""
    if not packed.splices:
        text = packed.texts[0]
        return cut((prefix, text, tail), len(prefix) + len(text) + len(tail), max_frame, False, number)
    parts: list[Buffer] = []
    total = spliced = 0
    pending = prefix + packed.texts[0]
    for splice, text in zip(packed.splices, packed.texts[1:], strict=True):
        pending += _splice_header(splice, total + len(pending))
        parts += (pending, splice.data)
        total += len(pending) + len(splice.data)
        spliced += len(splice.data)
        pending = text
    pending += tail
    if pending:
        parts.append(pending)
    total += len(pending)
    return cut(parts, total, max_frame, 2 * spliced > total, number)


_BIN32 = struct.Struct(">BI")
_EXT32 = struct.Struct(">BIb")


def _splice_header(splice: _Splice, offset: int) -> bytes:
    """The bytes that precede a large value that begins at `offset` in the message."""
    if splice.head is None:
        return _BIN32.pack(0xC6, len(splice.data))
    pad = arrays.padding(offset + _EXT32.size + len(splice.head))
    return _EXT32.pack(0xC9, len(splice.head) + len(pad) + len(splice.data), arrays.EXT_TYPE) + splice.head + pad


class V2Decoder:
    """Decodes the frames of one connection.

    Args:
        limits: the limits that apply.
        max_message: the largest message; by default that of `limits`.
        calls: whether messages that have the form of a call are decoded as a Request.
    """

    __slots__ = ("_calls", "_kept", "_later_elements", "_max_elements", "_passing", "_unchunker", "number", "size")
    version = 2

    def __init__(self, limits: Limits, max_message: int | None = None, calls: bool = False) -> None:
        self._unchunker = Unchunker(limits, max_message, lands=True)
        self.size: int = 0
        """Bytes of the message that was decoded last, unless it was a small call."""
        self.number: int = 0
        """The message id of the frame that was taken last (RES-2)."""
        self._calls = calls
        self._max_elements = limits.max_elements if max_message is None else min(EARLY_ELEMENTS, limits.max_elements)
        self._later_elements = limits.max_elements
        self._kept = self._passing = PLAIN
        """What decodes a message that nobody will change, and one in a frame that is gone when `receive` returns."""

    def raise_limits(self, max_message: int) -> None:
        """Accept messages of up to `max_message` bytes from now on (G2-10)."""
        self._unchunker.max_message = max_message
        self._max_elements = self._later_elements

    def accept_arrays(self) -> None:
        """Decode extension 1 as arrays from now on (ARR-1)."""
        self._kept, self._passing = VIEWS, COPIES

    def accept_ends(self) -> None:
        """Drop messages that their sender aborts, from now on (CAN-3)."""
        self._unchunker.accepts_ends = True

    def take_beginnings(self) -> dict[int, Partial]:
        """Return what has arrived of incomplete messages; see Unchunker."""
        return self._unchunker.take_beginnings()

    def go_on(self, begun: Mapping[int, Partial]) -> None:
        """Continue with what has arrived on another connection."""
        self._unchunker.go_on(begun)

    def receive(self, binary: bool, data: Buffer | str) -> Value:
        """Decode one frame. Returns the message that it completes, or `INCOMPLETE`. The message contains no views of a
        memoryview.

        Raises:
            ParseError: a text frame (DET-2), a malformed chunk or malformed MessagePack.
            LimitExceeded: a message exceeds a limit.
        """
        if not binary or isinstance(data, str):
            raise ParseError("a text frame arrived on a connection that speaks version 2")
        unchunker, size = self._unchunker, len(data) - HEADER_LENGTH
        if (  # a small call that is whole, as most messages are: as below, with fewer functions
            self._calls
            and type(data) is bytes
            and 0 <= size < COPY_BELOW
            and size <= unchunker.max_message
            and (head := HEADER.unpack_from(data))[2] == size
            and not (head[1] or unchunker.partial or unchunker.refused)
        ):
            self.number = head[0]
            try:
                call = self._kept.call.decode(data[HEADER_LENGTH:])
            except MALFORMED:
                pass
            else:
                plain = not call.kwargs and FLAT.issuperset(map(type, call.args))
                return call if plain else _checked(call, data[HEADER_LENGTH:])
        message = unchunker.receive(data)
        self.number = unchunker.number
        return INCOMPLETE if message is None else self._whole(message, data)

    def _whole(self, message: bytes | memoryview | Landed, frame: Buffer) -> Value:
        """Decode a message that `frame` has completed. Raises the same as `receive`."""
        if isinstance(message, Landed):
            text: Buffer = message.text
            self.size, decoders = message.size, self._passing.with_landed(message)
        else:
            text, self.size = message, len(message)
            passing = type(frame) is memoryview and memoryview(message).obj is frame.obj
            decoders = self._passing if passing else self._kept
        try:
            return self._decode(text, decoders)
        except PeerError as error:
            error.id = packed_id(text)
            raise

    def _decode(self, text: Buffer, decoders: Decoders) -> Value:
        is_checked = len(text) > maps.SMALL
        if is_checked:
            maps.check_packed(text, self._max_elements)
        if self._calls:
            try:
                call = decoders.call.decode(text)
            except MALFORMED:
                pass  # something else than a call, or a malformed one: told apart below
            else:
                if not is_checked and not (FLAT.issuperset(map(type, call.args)) and not call.kwargs):
                    maps.check_decoded((call.args, call.kwargs))
                return call
        try:
            message = decoders.value.decode(text)
        except ParseError:
            raise
        except MALFORMED as error:
            raise ParseError(f"malformed MessagePack: {reason(error)}") from error
        if not is_checked:
            maps.check_decoded((message,))
        return message


def _checked(call: Request, text: bytes) -> Request:
    """Return `call`, whose message is `text`, if its maps are valid. Raises ParseError."""
    try:
        maps.check_decoded((call.args, call.kwargs))
    except ParseError as error:
        error.id = packed_id(text)
        raise
    return call
