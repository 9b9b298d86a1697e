"""Protocol version 1: JSON text and binary attachments (docs/protocol/version-1.md)."""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import cast

import msgspec

from wslink.errors import InvalidRequest, LimitExceeded, NotSerializable, ParseError, PeerError
from wslink.wire import arrays
from wslink.wire.depth import is_deep_json, outside_strings
from wslink.wire.frames import Buffer, Frame, Message, message, text_frame
from wslink.wire.heads import text_id
from wslink.wire.limits import EARLY_ELEMENTS, Limits
from wslink.wire.messages import INCOMPLETE, NO_ID, VERSION, Request
from wslink.wire.plain import TOO_DEEP, not_serializable, to_plain, wrong_key
from wslink.wire.show import explained
from wslink.wire.unsendable import Unsendable, placed
from wslink.wire.value import Value

ATTACHMENT = "wslink.binary.attachment"
_KEY = re.compile(r"wslink_bin\d{1,32}", re.ASCII)  # more digits would be a way around LIM-2 and LIM-5
_BINARY = (bytes, bytearray, memoryview)

# G1-7. One sequence for the process, so that one encoded publication serves every client.
_keys = itertools.count()


class _Result(msgspec.Struct, tag_field="wslink", tag=VERSION):
    """A call's result (MSG-1)."""

    id: str
    result: Value


class PackedText(msgspec.Struct, frozen=True):
    """An encoded value, and the attachments that it names."""

    text: bytes
    attachments: Sequence[tuple[str, Buffer]]


class V1Encoder:
    """Encodes values and messages. Thread-safe."""

    version = 1

    def __init__(self) -> None:
        self._local = threading.local()
        # NaN and the infinities stay bare literals (G1-2), which msgspec cannot write; nor can it hand over bytes.
        self._encoder = json.JSONEncoder(default=self._hook, ensure_ascii=False, separators=(",", ":"))

    def pack(self, value: Value) -> PackedText:
        """Encode a value.

        Raises:
            NotSerializable: the message names the type that cannot be encoded, or the reason.
        """
        text = _quickly(value, value)
        if text is not None:
            return PackedText(text, ())
        attachments: list[tuple[str, Buffer]] = []
        self._local.attachments = attachments
        try:
            text = self._text(value, attachments).encode()
            if is_deep_json(text):
                raise NotSerializable(TOO_DEEP)
            return PackedText(text, attachments)
        except Unsendable as error:
            raise placed(error, value) from None
        except NotSerializable:
            raise
        except Exception as error:  # the application's properties and iterators may raise anything
            raise (
                NotSerializable(wrong_key(value)) if _REFUSED_KEY.match(str(error)) else not_serializable(error)
            ) from error

    def _text(self, value: Value, attachments: list[tuple[str, Buffer]]) -> str:
        try:
            return self._encoder.encode(value)
        except NotSerializable:
            raise
        except TypeError:  # a key, such as a NumPy integer or an Enum, that is plain only after the slower way
            attachments.clear()
            return self._encoder.encode(_builtins(value))

    def _hook(self, value: Value) -> Value:
        if isinstance(value, _BINARY):
            return self._attach(arrays.frozen(value))
        if arrays.is_array(value):
            return self._attach(arrays.array_bytes(value)[1])
        return _builtins(value)

    def _attach(self, data: Buffer) -> str:
        key = f"wslink_bin{next(_keys)}"
        self._local.attachments.append((key, data))
        return key

    def result(self, id_: str, value: Value, max_frame: int, number: int = 0) -> Message:
        """Encode the result of a call. `number` is only used in version 2. Raises NotSerializable."""
        kind = type(value)
        if kind in _FLAT or (kind is float and math.isfinite(value)):  # as below: most results
            try:
                encoded = msgspec.json.encode(_Result(id_, value))
                return Message((Frame(False, (encoded,), len(encoded), False),), len(encoded))
            except (msgspec.EncodeError, ValueError, OverflowError):
                pass
        text = _quickly(value, _Result(id_, value))
        return _compose(id_, "result", self.pack(value)) if text is None else _text_message(text)

    def failure(self, id_: str, error: dict[str, Value], max_frame: int) -> Message:
        """Encode the error of a call. Raises NotSerializable if the error's data cannot be encoded."""
        return _compose(id_, "error", self.pack(error))

    def publication(
        self, id_: str, packed: PackedText, subscriptions: tuple[int, ...] | None, max_frame: int
    ) -> Message:
        """Encode a publication with a packed payload; `subscriptions` is None for a peer that did not announce them
        (SUB-6)."""
        tail = b"" if subscriptions is None else b',"subscriptions":' + msgspec.json.encode(subscriptions)
        return _compose(id_, "result", packed, tail)


_REFUSED_KEY = re.compile("keys must be|unhashable type")
"""How json refuses a key that it has no text for, and msgspec one that is no key any more as plain data."""
_FLAT = frozenset((str, int, bool, type(None)))
_NUMBERS = frozenset((int, float))


def _quickly(value: Value, whole: Value) -> bytes | None:
    """Encode `whole` with msgspec, if that can encode the values that it contains; None otherwise.

    Python's stack ends before MAX_DEPTH (MSG-8) unless the application has raised its recursion limit.
    """
    try:
        text = msgspec.json.encode(whole) if is_plain(value) else b""
    except (msgspec.EncodeError, ValueError, OverflowError, RecursionError):
        return None
    return text if text and not is_deep_json(text) else None


def is_plain(value: Value) -> bool:
    """Whether msgspec can encode `value`: it contains no binary values, no NaN and no infinities, and no other types.

    May return False for a value that msgspec can encode: the standard library's encoder is only slower.
    """
    kind = type(value)
    if kind in _FLAT:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        return set(map(type, value)) <= {str} and _are_plain(value.values())
    return (kind is list or kind is tuple) and _are_plain(value)


def _are_plain(values: Collection[Value]) -> bool:
    kinds = set(map(type, values))
    if kinds <= _FLAT:
        return True
    if kinds <= _NUMBERS:
        return math.isfinite(sum(values))  # one that is not finite makes the sum so
    return all(map(is_plain, values))


def _builtins(value: Value) -> Value:
    """Convert `value` for json. Keys are not converted: json decides which keys it can represent, while msgspec would
    encode bytes in base64."""
    return msgspec.to_builtins(value, builtin_types=_BINARY, str_keys=False, enc_hook=_plain_or_bytes)


def _plain_or_bytes(value: Value) -> Value:
    return arrays.array_bytes(value)[1] if arrays.is_array(value) else to_plain(value)


def _text_message(text: bytes) -> Message:
    return Message((text_frame(text),), len(text))


def _compose(id_: str, kind: str, packed: PackedText, tail: bytes = b"") -> Message:
    head = b"".join((b'{"wslink":"1.0","id":', msgspec.json.encode(id_), b',"', kind.encode(), b'":'))
    text = b"".join((head, packed.text, tail, b"}"))
    if not packed.attachments:
        return _text_message(text)
    frames: list[Frame] = []
    for key, data in packed.attachments:
        header = f'{{"wslink":"1.0","method":"{ATTACHMENT}","args":["{key}"]}}'.encode()
        frames += (text_frame(header), Frame(True, (data,), len(data), True))
    return message([*frames, text_frame(text)])


class V1Decoder:
    """Decodes the frames of one connection. Attachments belong to their connection (G1-8).

    Args:
        limits: the limits that apply.
        calls: whether messages that have the form of a call are decoded as a Request.
    """

    version = 1
    number: int = 0
    """Messages of version 1 have none (RES-2)."""

    def __init__(self, limits: Limits, calls: bool = False) -> None:
        self._limits = limits
        self._decode_calls = calls
        self._max_elements = min(EARLY_ELEMENTS, limits.max_elements) if calls else limits.max_elements
        self._unchecked = min(limits.max_message, self._max_elements)
        """Bytes of a text that is within both limits, whatever it holds."""
        self._max_held = limits.auth_msg_size
        self._announced: deque[str] = deque()
        self._attachments: dict[str, bytes | None] = {}  # None for one over max_message
        self._held = 0

    def raise_limits(self, max_message: int) -> None:
        """Accept attachments up to LIM-5 from now on; until hello they had to fit into LIM-2.

        Messages need no higher limit: each is one frame, and frames have a separate limit (LIM-1).
        """
        self._max_held = self._limits.max_attachment_bytes
        self._max_elements = self._limits.max_elements
        self._unchecked = min(self._limits.max_message, self._max_elements)

    def accept_arrays(self) -> None:
        """Does nothing: arrays are an extension of version 2 (ARR-1)."""

    def accept_ends(self) -> None:
        """Does nothing: messages of version 1 are single frames, which are never aborted (CAN-3)."""

    def receive(self, binary: bool, data: Buffer | str) -> Value:
        """Decode one frame. Returns the message that it completes, or `INCOMPLETE`.

        Raises:
            ParseError: malformed JSON, or bytes that no header announced (DET-2).
            InvalidRequest: a malformed attachment header.
            LimitExceeded: a text or an attachment exceeds LIM-3, or there are too many values (LIM-13).
        """
        if binary:
            self._keep(bytes(cast(Buffer, data)))
            return INCOMPLETE
        text = data.encode(errors="replace") if isinstance(data, str) else bytes(data)
        is_wide = _WIDE in text.translate(_DIGITS)
        if self._decode_calls and not self._attachments and not is_wide and len(data) <= self._unchecked:
            try:
                call = _call_decoder.decode(data)
                if call.id is not NO_ID:
                    return call
            except _MALFORMED:
                pass  # no call, or one that only the slower way reads
        try:
            return self._receive_text(data, is_wide)
        except PeerError as error:
            error.id = text_id(data)
            raise

    def _receive_text(self, data: Buffer | str, is_wide: bool) -> Value:
        self._check_size(data)
        envelope = _parse(data, is_wide)
        if isinstance(envelope, dict) and "id" not in envelope and envelope.get("method") == ATTACHMENT:
            self._announce(envelope.get("args"))
            return INCOMPLETE
        try:
            return self._with_attachments(envelope) if self._attachments else envelope
        except RecursionError as error:
            raise ParseError("a message is nested too deeply") from error

    def _check_size(self, data: Buffer | str) -> None:
        limits = self._limits
        if len(data) > limits.max_message:
            raise LimitExceeded(f"a message of {len(data)} bytes is over max_message ({limits.max_message})")
        if len(data) > self._max_elements and _elements(data) > self._max_elements:
            raise LimitExceeded(f"over max_elements ({self._max_elements}) values are in one message")

    def _announce(self, keys: Value) -> None:
        if not isinstance(keys, list) or not keys or not all(isinstance(k, str) and _KEY.fullmatch(k) for k in keys):
            raise InvalidRequest("an attachment header's 'args' must be a list of keys such as 'wslink_bin1'")
        if len(self._announced) + len(keys) > self._limits.max_attachments:
            raise InvalidRequest(f"over max_attachments ({self._limits.max_attachments}) attachments are announced")
        self._announced.extend(keys)

    def _keep(self, data: bytes) -> None:
        if not self._announced:
            raise ParseError("a binary frame arrived that no attachment header announced")
        self._drop(self._announced[0])
        is_kept = len(data) <= self._limits.max_message
        self._attachments[self._announced.popleft()] = data if is_kept else None
        self._held += len(data) if is_kept else 0
        while len(self._attachments) > self._limits.max_attachments or self._held > self._max_held:
            self._drop(next(iter(self._attachments)))

    def _drop(self, key: str) -> None:
        self._held -= len(self._attachments.pop(key, None) or b"")

    def _with_attachments(self, envelope: Value) -> Value:
        used: set[str] = set()
        if isinstance(envelope, dict):
            try:
                return {
                    key: self._replace(value, used) if key in ("args", "kwargs", "result") else value
                    for key, value in envelope.items()
                }
            finally:
                for key in used:
                    self._drop(key)
        return envelope

    def _replace(self, value: Value, used: set[str]) -> Value:
        """Replace every string in `value` that names an attachment by its bytes (G1-6)."""
        if isinstance(value, str):
            if value in self._attachments:
                used.add(value)
                data = self._attachments[value]
                if data is None:
                    raise LimitExceeded(f"attachment {value} is over max_message ({self._limits.max_message})")
                return data
        elif isinstance(value, list):
            return [self._replace(item, used) for item in value]
        elif isinstance(value, dict):
            return {key: self._replace(item, used) for key, item in value.items()}
        return value


_call_decoder = msgspec.json.Decoder(Request)
_MALFORMED = (msgspec.DecodeError, ValueError, RecursionError)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_WIDE = b"0" * 19
"""As many digits as the smallest integers have that 64 bits do not hold (G1-11)."""


def _integer(text: str) -> int | float:
    """Decode an integer. One beyond 64 bits becomes the float that its sender had (G1-11)."""
    if len(text) <= 20 and -(2**63) <= (number := int(text)) < 2**64:
        return number
    return float(text)


def _parse(data: Buffer | str, is_wide: bool) -> Value:
    """Decode JSON, including the bare literals of G1-2. `is_wide` tells whether there may be an integer beyond 64
    bits."""
    if not is_wide:
        try:
            return msgspec.json.decode(data)
        except _MALFORMED:
            pass
    try:
        return json.loads(data if isinstance(data, str) else bytes(data).decode(), parse_int=_integer)
    except RecursionError as error:
        raise ParseError("malformed JSON: it is nested too deeply") from error
    except ValueError as error:
        raise ParseError(f"malformed JSON: {explained(error)}") from error


def _elements(data: Buffer | str) -> int:
    """An upper bound on the number of values in a text."""
    return _separators(outside_strings(data.encode(errors="replace") if isinstance(data, str) else bytes(data)))


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")
