from __future__ import annotations

import os
import random
import struct

import pytest

from wslink.errors import ParseError
from wslink.relay.frames import CLOSE, PING, FrameReader, close, control, unmask
from wslink.transport.framing import frame_header


def client_frame(opcode: int, payload: bytes, *, fin: bool = True, masked: bool = True) -> bytes:
    """A frame as a client sends it."""
    mask = os.urandom(4)
    size = len(payload)
    length = (
        bytes((size,))
        if size < 126
        else struct.pack(">BH", 126, size)
        if size < 2**16
        else struct.pack(">BQ", 127, size)
    )
    length = bytes((length[0] | (0x80 if masked else 0),)) + length[1:]
    body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload)) if masked else payload
    return bytes((opcode | (0x80 if fin else 0),)) + length + (mask if masked else b"") + body


def passed(reader: FrameReader, data: bytes, sizes: list[int]) -> bytes:
    """What comes out when `data` goes in in pieces of these sizes."""
    out = b""
    while data:
        size = sizes.pop() if sizes else len(data)
        reader.feed(data[:size])
        data = data[size:]
        while (piece := reader.take()) is not None:
            out += piece.data
    return out


@pytest.mark.parametrize("seed", range(30))
def test_any_cut_gives_the_same_bytes(seed: int) -> None:
    choice = random.Random(seed)
    frames = [(choice.choice([0, 1, 2, 8, 9, 10]), os.urandom(choice.choice([0, 1, 5, 125]))) for _ in range(5)]
    frames += [(2, os.urandom(choice.choice([126, 65535, 65536, 200_001])))]
    choice.shuffle(frames)
    sent = b"".join(client_frame(opcode, payload) for opcode, payload in frames)
    expected = b"".join(frame_header(0x80 | opcode, len(payload)) + payload for opcode, payload in frames)
    sizes = [choice.choice([1, 2, 3, 7, 1000, 70_000]) for _ in range(200)]
    assert passed(FrameReader(), sent, sizes) == expected


def test_fragments_stay_fragments() -> None:
    sent = client_frame(1, b"one", fin=False) + client_frame(0, b"two")
    assert passed(FrameReader(), sent, []) == b"\x01\x03one\x80\x03two"


def test_a_large_frame_is_not_kept() -> None:
    reader = FrameReader()
    reader.feed(client_frame(2, bytes(1000))[:500])
    piece = reader.take()
    assert piece is not None
    assert len(piece.data) > 480
    assert reader.take() is None
    assert not reader.between_frames
    assert len(reader._buffer) == 0


def test_frames_that_no_client_sends() -> None:
    for data in (client_frame(2, b"x", masked=False), client_frame(PING, bytes(126))):
        reader = FrameReader()
        reader.feed(data)
        with pytest.raises(ParseError):
            reader.take()


def test_own_frames() -> None:
    assert control(PING, b"x") == b"\x89\x01x"
    assert close(1001, "bye") == bytes((0x80 | CLOSE, 5)) + struct.pack(">H", 1001) + b"bye"
    assert len(close(1000, "x" * 500)) == 127


def test_unmasking() -> None:
    assert unmask(b"", b"abcd") == b""
    assert unmask(unmask(b"hello", b"abcd"), b"abcd") == b"hello"
