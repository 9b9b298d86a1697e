"""Decoders of MessagePack, which differ in how they decode arrays."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from wslink.errors import ParseError
from wslink.wire import arrays
from wslink.wire.extensions import Extension
from wslink.wire.messages import Request
from wslink.wire.partial import Landed
from wslink.wire.show import explained
from wslink.wire.value import Value


def _keep_ext(code: int, data: memoryview) -> Extension:
    return Extension(code, bytes(data))


def _view_ext(code: int, data: memoryview) -> Value:
    return arrays.unpack_array(data) if code == arrays.EXT_TYPE else _keep_ext(code, data)


def _copy_ext(code: int, data: memoryview) -> Value:
    return arrays.unpack_array(data, copy=True) if code == arrays.EXT_TYPE else _keep_ext(code, data)


class Decoders:
    """Decoders for any value and, faster, for calls. Arrays are either views of the message, which then has to be
    aligned (G2-9), or copies."""

    def __init__(self, ext_hook: Callable[[int, memoryview], Value]) -> None:
        self._ext_hook = ext_hook
        self.value: msgspec.msgpack.Decoder[Value] = msgspec.msgpack.Decoder(ext_hook=ext_hook)
        self.call: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request, ext_hook=ext_hook)

    def with_landed(self, landed: Landed) -> Decoders:
        """A decoder for a message of which one value was assembled separately."""

        def hook(code: int, data: memoryview) -> Value:
            value = landed.find(code, data)
            return self._ext_hook(code, data) if value is None else value

        return Decoders(hook)


PLAIN, VIEWS, COPIES = map(Decoders, (_keep_ext, _view_ext, _copy_ext))
MALFORMED = (msgspec.DecodeError, ParseError, RecursionError, ValueError, TypeError, OverflowError)
"""What decoding a malformed message raises: a key that cannot be hashed is a TypeError, a date out of range or a shape
beyond NumPy's an OverflowError."""


def reason(error: Exception) -> str:
    """The reason why a message is malformed, for its sender."""
    return "it is nested too deeply" if isinstance(error, RecursionError) else explained(error)
