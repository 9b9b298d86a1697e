"""Large frames as clients send them, and how many bytes are large while a test runs."""

from __future__ import annotations

import struct

PIECE = 64 * 1024
"""In place of `transport.picows.reading.PIECE`: smaller frames take less time to make."""
MASK = b"\x93\x01\xfe\x5a"


def masked(payload: bytes) -> bytes:
    key = MASK * (len(payload) // 4 + 1)
    mixed = int.from_bytes(payload, "little") ^ int.from_bytes(key[: len(payload)], "little")
    return mixed.to_bytes(len(payload), "little")


def frame(opcode: int, payload: bytes, fin: bool = True) -> bytes:
    """A frame of a client's, with a mask that is none of zeros."""
    size, first = len(payload), opcode | fin << 7
    head = struct.pack(">BB", first, size | 128) if size < 126 else struct.pack(">BBH", first, 254, size % 65536)
    if size > 65535:
        head = struct.pack(">BBQ", first, 255, size)
    return head + MASK + masked(payload)
