"""What every server of the benchmarks offers, whatever library it stands on. Standard library only."""

from __future__ import annotations

import argparse
import functools
import os
import struct
import time
from collections.abc import Iterator, Mapping

SECRET = "wslink-secret"
TOPIC = "bench.topic"

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int, required=True)
arguments.add_argument("--engine", default="auto")
arguments.add_argument("--loop", default="asyncio")
arguments.add_argument("--compress", action="store_true")
arguments.add_argument("--delivery", default="reliable")
arguments.add_argument("--on-demand", action="store_true", help="offer a topic that is rendered for each viewer")
arguments.add_argument("--hold", type=int, default=0, help="bytes of payload to make before the measurement begins")


@functools.lru_cache(maxsize=4)
def binary(size: int) -> bytes:
    """Incompressible bytes."""
    return os.urandom(size)


STAMP = struct.Struct("<8sd")
MARK = b"\xf1wslink\xf1"
STAMPS = 16


def stamped(size: int) -> bytes:
    """Incompressible bytes that end with the time at which they were made."""
    end = stamps()
    return b"".join((memoryview(binary(size))[: -len(end)], end))


def stamps() -> bytes:
    """The time, so often that a chunk's edge spares one."""
    return STAMP.pack(MARK, time.monotonic()) * STAMPS


@functools.lru_cache(maxsize=4)
def text(size: int) -> str:
    """Text as scientific applications send it: names and numbers."""
    line = "temperature: 293.15, pressure: 101325.0, velocity: [0.5, 1.25, -3.75]; "
    return (line * (size // len(line) + 1))[:size]


class Counted(Mapping):
    """A mapping that counts how often it is read: once for each time that it is encoded."""

    def __init__(self) -> None:
        self.readings = 0

    def __getitem__(self, key: str) -> int:
        return {"row": 1}[key]

    def __iter__(self) -> Iterator[str]:
        self.readings += 1
        return iter(["row"])

    def __len__(self) -> int:
        return 1


def options() -> argparse.Namespace:
    chosen = arguments.parse_args()
    if chosen.hold:
        binary(chosen.hold)
    return chosen
