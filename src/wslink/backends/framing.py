"""The head of a WebSocket frame."""

from __future__ import annotations

import struct

_LENGTH16, _LENGTH64 = struct.Struct(">BBH"), struct.Struct(">BBQ")


def frame_header(first: int, length: int) -> bytes:
    """The header of an unmasked frame whose first byte is `first` (RFC 6455, 5.2)."""
    if length < 126:
        return bytes((first, length))
    return _LENGTH16.pack(first, 126, length) if length < 65536 else _LENGTH64.pack(first, 127, length)
