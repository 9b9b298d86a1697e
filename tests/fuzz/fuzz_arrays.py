"""The payload of the array extension (ARR-2)."""

from __future__ import annotations

from tests.fuzz.vectors import group, hexes
from wslink.errors import ParseError
from wslink.wire import arrays

SEEDS = [
    *hexes(group("arrays", "cases"), "payload"),
    *hexes(group("arrays", "malformed"), "payload"),
    b"\x0b\x99\xa3<f4" + b"\xce\xff\xff\xff\xff" * 8,
    b"\x08\x93\xa3|u1\x00\xcd\xff\xff",
]


def run(data: bytes) -> None:
    for copy in (False, True):
        try:
            found = arrays.unpack_array(memoryview(data), copy=copy)
        except ParseError:
            continue
        assert found.nbytes <= len(data)
