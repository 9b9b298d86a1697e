"""The relay's frames: however they come in pieces, what is passed on is the same, unmasked, and nothing is kept."""

from __future__ import annotations

import struct

from wslink.errors import ParseError
from wslink.relay.frames import FrameReader


def _frame(first: int, payload: bytes, mask: bytes = b"abcd") -> bytes:
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
    return bytes([first]) + length + mask + payload


SEEDS = [
    b"\x03" + _frame(0x82, b"hello"),
    b"\x01" + _frame(0x89, b"ping") + _frame(0x88, b"\x03\xe8bye"),
    b"\x07" + _frame(0x02, bytes(300)) + _frame(0x89, b"") + _frame(0x80, b"end"),
    b"\x02\x82\xff" + struct.pack(">Q", 2**62) + b"maskpart",
    b"\x05\x82\x05hello",
    b"\x01\x89\xfe\x00\x7emask" + bytes(126),
]


def _pass(pieces: list[bytes]) -> tuple[bytes, bool]:
    """What is passed on, and whether an error ended it."""
    reader, passed = FrameReader(), b""
    for piece in pieces:
        reader.feed(piece)
        try:
            while (taken := reader.take()) is not None:
                passed += taken.data
        except ParseError:
            return passed, True
        assert len(reader._buffer) < 14 + 125  # a header or a control frame at most
    return passed, False


def run(data: bytes) -> None:
    step, data = data[:1], data[1 : 2**14]
    size = max(1, step[0] if step else 1)
    whole = _pass([data])
    assert _pass([data[at : at + size] for at in range(0, len(data), size)]) == whole
    assert len(whole[0]) <= len(data)
