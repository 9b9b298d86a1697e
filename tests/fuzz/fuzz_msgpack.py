"""Version 2: a message of MessagePack, in one chunk, with and without arrays."""

from __future__ import annotations

import msgpack

from tests.fuzz.vectors import group, hexes
from wslink.errors import PeerError
from wslink.wire.chunks import HEADER
from wslink.wire.limits import Limits
from wslink.wire.maps import KEYS
from wslink.wire.messages import MAX_ID, Request
from wslink.wire.v2_msgpack import V2Decoder

HEAD = msgpack.packb({"wslink": "1.0", "id": "rpc:c1:1", "method": "a.b"})[1:]


def _call(args: bytes) -> bytes:
    return b"\x84" + HEAD + b"\xa4args" + args


SEEDS = [
    *(seed for name in ("cases", "decode", "malformed") for seed in hexes(group("second_generation", name), "packed")),
    _call(b"\x91" * 1500 + b"\x01"),
    _call(msgpack.packb([{(n, n): n for n in range(500)}])),
    _call(msgpack.packb([{(1, 2): 1}, {b"a": 1}, {None: 1}, {True: 2}])),
    _call(msgpack.packb([msgpack.ExtType(1, b"\x06\x92\xa3|u1\x02ab"), msgpack.Timestamp(2**40)])),
    _call(b"\x91" * 900 + b"\xd4\xff\x01"),
    _call(b"\xdd\x00\xff\xff\xff" + b"\x90" * 3000),
    _call(b"\xdf\xff\xff\xff\xff" + b"\xa1a\x01" * 300),
    _call(b"\x91\x81\xc7\x07\x01\x06\x92\xa3|u1\x00\x01"),
    _call(b"\x91" + msgpack.packb({"a": [{"b": n} for n in range(3000)]})),
]
LIMITS = Limits(max_elements=10_000)


def run(data: bytes) -> None:
    frame = HEADER.pack(1, 0, len(data)) + data
    for calls in (True, False):
        for arrays in (True, False):
            decoder = V2Decoder(LIMITS, calls=calls)
            if arrays:
                decoder.accept_arrays()
            for given in (frame, memoryview(frame)):
                try:
                    message = decoder.receive(True, given)
                except PeerError as error:
                    assert error.id is None or len(error.id) <= MAX_ID
                    assert len(error.message) < 2000
                    continue
                check_keys([message.args, message.kwargs] if isinstance(message, Request) else message)


def check_keys(value: object) -> None:
    stack = [value]
    for node in stack:
        if isinstance(node, dict):
            assert all(type(key) in KEYS for key in node)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
