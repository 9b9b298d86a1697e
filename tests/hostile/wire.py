"""Bytes of WebSocket frames and of messages, as a hostile peer makes them: right, wrong, and in any number."""

from __future__ import annotations

import itertools
import json
import struct
import zlib
from typing import Any

import msgpack

from tests.messages import HEADER, chunk

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MIB = 1024 * 1024

_numbers = itertools.count(1)


def head(opcode: int, size: int, *, fin: bool = True, rsv1: bool = False, mask: bool = True) -> bytes:
    """The head of a frame of `size` bytes; its mask is four zeros, which is a mask."""
    first = opcode | fin << 7 | rsv1 << 6
    if size < 126:
        start = struct.pack(">BB", first, size | mask << 7)
    elif size < 65536:
        start = struct.pack(">BBH", first, 126 | mask << 7, size)
    else:
        start = struct.pack(">BBQ", first, 127 | mask << 7, size)
    return start + bytes(4 if mask else 0)


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False, mask: bool = True) -> bytes:
    return head(opcode, len(payload), fin=fin, rsv1=rsv1, mask=mask) + payload


def deflated(payload: bytes) -> bytes:
    """`payload` as permessage-deflate carries it (RFC 7692, 7.2.1)."""
    squeezer = zlib.compressobj(9, wbits=-15)
    return (squeezer.compress(payload) + squeezer.flush(zlib.Z_SYNC_FLUSH))[:-4]


def message(envelope: Any, id_: int | None = None) -> bytes:
    """A whole message of protocol version 2; by default with the next id."""
    return chunk(msgpack.packb(envelope), id_=id_)


def text(envelope: Any) -> bytes:
    """A message of protocol version 1."""
    return json.dumps(envelope).encode()


def call(method: str, *args: Any, id_: str | None = None, **kwargs: Any) -> dict[str, Any]:
    number = id_ or f"rpc:c0:{next(_numbers)}"
    return {"wslink": "1.0", "id": number, "method": method, "args": list(args), "kwargs": kwargs}


def system(method: str, argument: Any) -> dict[str, Any]:
    return call(method, argument, id_=f"system:c0:{next(_numbers)}")


def hello(secret: Any = "secret", **more: Any) -> dict[str, Any]:
    return {"wslink": "1.0", "id": "system:c0:0", "method": "wslink.hello", "args": [{"secret": secret, **more}]}


def subscribe(number: int, topic: str, definition: Any) -> dict[str, Any]:
    return system("wslink.subscribe", {"subscription": number, "topic": topic, "filter": definition})


def result_of(payload: bytes) -> Any:
    """The decoded message of a frame that holds a whole one; {} for a chunk of a larger one."""
    _, offset, total = HEADER.unpack_from(payload)
    if offset or total != len(payload) - HEADER.size:
        return {}
    return msgpack.unpackb(payload[HEADER.size :], strict_map_key=False)
