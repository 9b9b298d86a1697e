"""The first generation: JSON text and binary attachments (docs/protocol/first-generation.md)."""

from __future__ import annotations

import itertools
import json
import math
import re
import threading
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, cast

import msgspec

from wslink.errors import InvalidRequest, NotSerializable, ParseError
from wslink.wire import arrays
from wslink.wire.frames import Buffer, Frame, Message, message, text_frame
from wslink.wire.limits import Limits
from wslink.wire.messages import NO_ID, VERSION, Request
from wslink.wire.plain import to_plain
from wslink.wire.v2_msgpack import INCOMPLETE

ATTACHMENT = "wslink.binary.attachment"
_KEY = re.compile(r"wslink_bin\d{1,32}", re.ASCII)  # more digits would be a way around LIM-2 and LIM-5
_BINARY = (bytes, bytearray, memoryview)

# G1-7. One sequence for the process, so that one encoded publication serves every client.
_keys = itertools.count()


class _Result(msgspec.Struct, tag_field="wslink", tag=VERSION):
    """A call's result (MSG-1)."""

    id: str
    result: Any


class PackedText(NamedTuple):
    """An encoded value and the attachments that it names."""

    text: bytes
    attachments: Sequence[tuple[str, Buffer]]


class FirstEncoder:
    """Encodes values and messages. Safe to use from several threads."""

    generation = 1

    def __init__(self) -> None:
        self._local = threading.local()
        # NaN and the infinities stay bare literals (G1-2), which msgspec cannot write; nor can it hand over bytes.
        self._encoder = json.JSONEncoder(default=self._hook, ensure_ascii=False, separators=(",", ":"))

    def pack(self, value: Any) -> PackedText:
        """Encode a value.

        Raises:
            NotSerializable: naming the type that cannot be sent, or the reason.
        """
        text = _quickly(value, value)
        if text is not None:
            return PackedText(text, ())
        attachments: list[tuple[str, Buffer]] = []
        self._local.attachments = attachments
        try:
            return PackedText(self._text(value, attachments).encode(), attachments)
        except NotSerializable:
            raise
        except Exception as error:  # a property or an iterator of the application's may raise anything
            raise NotSerializable(str(error) or repr(error)) from error

    def _text(self, value: Any, attachments: list[tuple[str, Buffer]]) -> str:
        try:
            return self._encoder.encode(value)
        except NotSerializable:
            raise
        except TypeError:  # a key, such as a NumPy integer or an Enum, that only the slower way makes text of
            attachments.clear()
            return self._encoder.encode(_builtins(value))

    def _hook(self, value: Any) -> Any:
        if isinstance(value, _BINARY):
            return self._attach(arrays.frozen(value))
        if arrays.is_array(value):
            return self._attach(arrays.array_bytes(value)[1])
        return _builtins(value)

    def _attach(self, data: Buffer) -> str:
        key = f"wslink_bin{next(_keys)}"
        self._local.attachments.append((key, data))
        return key

    def result(self, id_: str, value: Any, max_frame: int) -> Message:
        """A call's result. Raises NotSerializable."""
        text = _quickly(value, _Result(id_, value))
        return _compose(id_, "result", self.pack(value)) if text is None else _text_message(text)

    def failure(self, id_: str, error: dict[str, Any], max_frame: int) -> Message:
        """A call's failure. Raises NotSerializable, if the error's data cannot be sent."""
        return _compose(id_, "error", self.pack(error))

    def publication(
        self, id_: str, packed: PackedText, subscriptions: tuple[int, ...] | None, max_frame: int
    ) -> Message:
        """A publication of a packed payload; `subscriptions` is None for a peer that did not announce them (SUB-6)."""
        tail = b"" if subscriptions is None else b',"subscriptions":' + msgspec.json.encode(subscriptions)
        return _compose(id_, "result", packed, tail)


_FLAT = frozenset((str, int, bool, type(None)))
_NUMBERS = frozenset((int, float))


def _quickly(value: Any, whole: Any) -> bytes | None:
    """`whole` as text if msgspec may encode what `value` holds; None otherwise."""
    try:
        return msgspec.json.encode(whole) if is_plain(value) else None
    except (msgspec.EncodeError, ValueError, OverflowError, RecursionError):
        return None


def is_plain(value: Any) -> bool:
    """Whether msgspec may encode `value`: no binary values, no NaN and no infinities in it, nor types of others.

    May say no of a value that is: the standard library's encoder is slower, not worse.
    """
    kind = type(value)
    if kind in _FLAT:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        return set(map(type, value)) <= {str} and _are_plain(value.values())
    return (kind is list or kind is tuple) and _are_plain(value)


def _are_plain(values: Collection[Any]) -> bool:
    kinds = set(map(type, values))
    if kinds <= _FLAT:
        return True
    if kinds <= _NUMBERS:
        return math.isfinite(sum(values))  # one that is not finite makes the sum so
    return all(map(is_plain, values))


def _builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, builtin_types=_BINARY, str_keys=True, enc_hook=_plain_or_bytes)


def _plain_or_bytes(value: Any) -> Any:
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


class FirstDecoder:
    """Turns the frames of one connection into decoded messages. Attachments stay on their connection (G1-8).

    Args:
        limits: the bounds.
        calls: whether what has the shape of a call is decoded as a Request.
    """

    generation = 1

    def __init__(self, limits: Limits, calls: bool = False) -> None:
        self._limits = limits
        self._decode_calls = calls
        self._max_held = limits.auth_msg_size
        self._announced: deque[str] = deque()
        self._attachments: dict[str, bytes] = {}
        self._held = 0

    def raise_limits(self, max_message: int) -> None:
        """Keep attachments of up to LIM-5 from now on; until hello they had to fit into LIM-2.

        Messages need no raise: each is one frame here, and frames have a limit of their own (LIM-1).
        """
        self._max_held = self._limits.max_attachment_bytes

    def accept_arrays(self) -> None:
        """Arrays are an extension of the second generation (ARR-1)."""

    def receive(self, binary: bool, data: Buffer | str) -> Any:
        """Take one frame: the decoded message it completes, or `INCOMPLETE`.

        Raises:
            ParseError: for malformed JSON, or bytes that no header announced (DET-2).
            InvalidRequest: for a malformed attachment header.
        """
        if binary:
            self._keep(bytes(cast(Buffer, data)))
            return INCOMPLETE
        if self._decode_calls and not self._attachments:
            try:
                call = _call_decoder.decode(data)
                if call.id is not NO_ID:
                    return call
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass  # no call, or one that only the slower way reads
        envelope = _parse(data)
        if isinstance(envelope, dict) and "id" not in envelope and envelope.get("method") == ATTACHMENT:
            self._announce(envelope.get("args"))
            return INCOMPLETE
        try:
            return self._with_attachments(envelope) if self._attachments else envelope
        except RecursionError as error:
            raise ParseError("a message is nested too deeply") from error

    def _announce(self, keys: Any) -> None:
        if not isinstance(keys, list) or not keys or not all(isinstance(k, str) and _KEY.fullmatch(k) for k in keys):
            raise InvalidRequest("an attachment header's 'args' must be a list of keys such as 'wslink_bin1'")
        if len(self._announced) + len(keys) > self._limits.max_attachments:
            raise InvalidRequest(f"over max_attachments ({self._limits.max_attachments}) attachments are announced")
        self._announced.extend(keys)

    def _keep(self, data: bytes) -> None:
        if not self._announced:
            raise ParseError("a binary frame arrived that no attachment header announced")
        self._drop(self._announced[0])
        self._attachments[self._announced.popleft()] = data
        self._held += len(data)
        while len(self._attachments) > self._limits.max_attachments or self._held > self._max_held:
            self._drop(next(iter(self._attachments)))

    def _drop(self, key: str) -> None:
        self._held -= len(self._attachments.pop(key, b""))

    def _with_attachments(self, envelope: Any) -> Any:
        used: set[str] = set()
        if isinstance(envelope, dict):
            envelope = {
                key: self._replace(value, used) if key in ("args", "kwargs", "result") else value
                for key, value in envelope.items()
            }
        for key in used:
            self._drop(key)
        return envelope

    def _replace(self, value: Any, used: set[str]) -> Any:
        """`value` with every whole string that names an attachment replaced by its bytes (G1-6)."""
        if isinstance(value, str):
            if value in self._attachments:
                used.add(value)
                return self._attachments[value]
        elif isinstance(value, list):
            return [self._replace(item, used) for item in value]
        elif isinstance(value, dict):
            return {key: self._replace(item, used) for key, item in value.items()}
        return value


_call_decoder = msgspec.json.Decoder(Request)


def _parse(data: Buffer | str) -> Any:
    """Decode JSON, with the bare literals of G1-2."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(data if isinstance(data, str) else bytes(data))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"malformed JSON: {error}") from error
