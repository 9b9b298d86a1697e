"""Messages that clients send in fragments."""

from __future__ import annotations

import tracemalloc
from typing import cast

import pytest
from picows import WSFrame, WSMsgType

from wslink.transport.picows.parts import MessageParts
from wslink.wire.frames import Buffer

MIB = 1024 * 1024


class Fragment:
    """A frame of picows's, whose payload is not valid for long."""

    rsv1 = rsv2 = rsv3 = 0

    def __init__(self, payload: bytearray, fin: bool) -> None:
        self.fin = int(fin)
        self.payload_size = len(payload)
        self._payload = payload

    def get_payload_as_memoryview(self) -> memoryview:
        return memoryview(self._payload)

    def get_payload_as_bytes(self) -> bytes:
        return bytes(self._payload)


class Receiver:
    max_size = 64 * MIB

    def __init__(self) -> None:
        self.messages: list[tuple[bool, Buffer | str]] = []

    def receive(self, binary: bool, data: Buffer | str) -> None:
        self.messages.append((binary, data))

    def fail(self, code: int, reason: str) -> None:
        raise AssertionError(f"{code} {reason}")

    def hold_reading(self, hold: bool) -> None:
        raise AssertionError("nothing is expanded")


@pytest.mark.parametrize("pieces", [8, 800])
def test_a_message_in_fragments_is_put_together_where_it_stays(pieces: int) -> None:
    receiver = Receiver()
    parts = MessageParts(receiver, None)
    size = 16 * MIB // pieces
    buffer = bytearray(size)
    tracemalloc.start()
    try:
        for index in range(pieces):
            buffer[:] = bytes([index % 256]) * size
            kind = WSMsgType.CONTINUATION if index else WSMsgType.BINARY
            parts.receive(kind, cast(WSFrame, Fragment(buffer, index == pieces - 1)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert receiver.messages == [(True, b"".join(bytes([index % 256]) * size for index in range(pieces)))]
    assert type(receiver.messages[0][1]) is bytes
    assert peak < 16 * MIB * 1.25 + 2 * size
