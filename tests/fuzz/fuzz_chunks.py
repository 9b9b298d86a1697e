"""Chunks of version 2 (G2-1 to G2-10): the input is a list of frames, each behind its length in two bytes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.fuzz.vectors import group
from wslink.errors import LimitExceeded, ParseError
from wslink.wire.chunks import HEADER, Unchunker
from wslink.wire.limits import Limits


def joined(frames: list[bytes]) -> bytes:
    return b"".join(len(frame).to_bytes(2, "little") + frame for frame in frames)


def frames(data: bytes) -> Iterator[bytes]:
    while data:
        length = int.from_bytes(data[:2], "little")
        yield data[2 : 2 + length]
        data = data[2 + length :]


SEEDS = [
    *(joined([bytes.fromhex(frame) for frame in case["frames"]]) for case in group("chunks", "cases")),
    joined([HEADER.pack(1, n, 65536) + b"x" for n in range(500, 1, -1)]),
    joined([HEADER.pack(n, 1, 3) + b"x" for n in range(100)]),
    joined([HEADER.pack(1, n, 300) + b"x" for n in range(300)]),
]
LIMITS = Limits(max_message=1 << 16, max_partial=8)


def run(data: bytes) -> None:
    unchunker, held, whole = Unchunker(LIMITS), 0, 0
    unchunker.accepts_ends = len(data) % 2 == 1
    for frame in frames(data):
        held += len(frame)
        try:
            message = unchunker.receive(frame)
        except (ParseError, LimitExceeded):
            continue
        if message is not None:
            whole += len(message)
    assert whole <= held
