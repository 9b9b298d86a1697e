"""Pre-built frames of what each peer speaks, so that the load spends its time on sockets and not on encoding."""

from __future__ import annotations

import itertools
import json
import os
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

HEADER = struct.Struct("<III")
CLIENT_FRAME = 4 * 1024 * 1024  # what servers of version 2 announce as maxMsgSize
SECRET = "wslink-secret"

FrameOut = tuple[bool, bytes]
"""Whether it is binary, and its payload."""


class Dialect:
    """How to talk to a peer. `completes` tells the frames that end a message from those that come before."""

    path = "/ws"
    acknowledges = False
    """Whether its clients acknowledge frames (extension `flow`)."""

    def hello(self) -> list[FrameOut]:
        return self.call("wslink.hello", [{"secret": SECRET}], id_="system:c0:0")

    def call(self, method: str, args: Sequence[Any], id_: str = "rpc:c0:1") -> list[FrameOut]:
        raise NotImplementedError

    def completes(self, binary: bool, payload: memoryview) -> bool:
        return True

    def result(self, payload: bytes) -> Any:
        """What a message that came in one frame holds."""
        raise NotImplementedError

    def reply(self, payload: memoryview) -> list[FrameOut]:
        """What a client must answer to a frame that is no message."""
        return []


class First(Dialect):
    """Protocol version 1: JSON text; a bytes argument travels as an attachment."""

    _numbers = itertools.count(1)

    def call(self, method: str, args: Sequence[Any], id_: str = "rpc:c0:1") -> list[FrameOut]:
        frames: list[FrameOut] = []
        plain = [self._attach(arg, frames) if isinstance(arg, bytes) else arg for arg in args]
        envelope = {"wslink": "1.0", "id": id_, "method": method, "args": plain, "kwargs": {}}
        return [*frames, (False, json.dumps(envelope).encode())]

    def _attach(self, data: bytes, frames: list[FrameOut]) -> str:
        key = f"wslink_bin{next(self._numbers)}"
        header = {"wslink": "1.0", "method": "wslink.binary.attachment", "args": [key]}
        frames += [(False, json.dumps(header).encode()), (True, data)]
        return key

    def completes(self, binary: bool, payload: memoryview) -> bool:
        return not binary and b"wslink.binary.attachment" not in bytes(payload[:80])

    def result(self, payload: bytes) -> Any:
        return json.loads(payload)["result"]


class Second(Dialect):
    """Protocol version 2: chunked MessagePack. `features` are announced in hello."""

    def __init__(self, *features: str, frame: int = CLIENT_FRAME) -> None:
        self._features = features
        self._frame = frame

    def hello(self) -> list[FrameOut]:
        token: dict[str, Any] = {"secret": SECRET}
        if self._features:
            token["features"] = list(self._features)
        return self.call("wslink.hello", [token], id_="system:c0:0")

    def call(self, method: str, args: Sequence[Any], id_: str = "rpc:c0:1") -> list[FrameOut]:
        text = msgspec.msgpack.encode({"wslink": "1.0", "id": id_, "method": method, "args": args, "kwargs": {}})
        message_id = int.from_bytes(os.urandom(4), "little")
        room = self._frame - HEADER.size
        return [
            (True, HEADER.pack(message_id, offset, len(text)) + text[offset : offset + room])
            for offset in range(0, len(text), room)
        ]

    def completes(self, binary: bool, payload: memoryview) -> bool:
        _, offset, total = HEADER.unpack_from(payload)
        return bool(offset + len(payload) - HEADER.size >= total)

    def result(self, payload: bytes) -> Any:
        return msgspec.msgpack.decode(payload[HEADER.size :])["result"]


class Flowing(Second):
    """Protocol version 2 with `flow`: acknowledges frames, and publications when the page is done."""

    acknowledges = True

    def __init__(self) -> None:
        super().__init__("subscribe", "flow")

    def subscribe(self, topic: str) -> list[FrameOut]:
        return self.call("wslink.subscribe", [{"subscription": 1, "topic": topic}], "system:subscribe:1")

    def acknowledgement(self, counted: int) -> FrameOut:
        return self._extension(1, counted, 0)

    def settled(self, count: int, milliseconds: int) -> FrameOut:
        return self._extension(2, 1, count, milliseconds)

    def _extension(self, *items: int) -> FrameOut:
        text = msgspec.msgpack.encode(items)
        return True, HEADER.pack(0, 0, len(text)) + text


class PlainJson(Dialect):
    """An echo server without a protocol: {"args": [...]} and {"result": ...}."""

    def hello(self) -> list[FrameOut]:
        return []

    def call(self, method: str, args: Sequence[Any], id_: str = "rpc:c0:1") -> list[FrameOut]:
        return [(False, json.dumps({"id": id_, "method": method, "args": args}).encode())]


class SocketIo(Dialect):
    """Socket.IO 5 over Engine.IO 4, WebSocket from the start; calls are events with an acknowledgement."""

    path = "/socket.io/?EIO=4&transport=websocket"

    def hello(self) -> list[FrameOut]:
        return [(False, b"40")]

    def call(self, method: str, args: Sequence[Any], id_: str = "1") -> list[FrameOut]:
        return [(False, f"421{json.dumps([method.replace('.', '_'), *args])}".encode())]

    def completes(self, binary: bool, payload: memoryview) -> bool:
        return bytes(payload[:2]) in (b"40", b"43")

    def reply(self, payload: memoryview) -> list[FrameOut]:
        return [(False, b"3")] if bytes(payload) == b"2" else []  # a ping, every 25 s


class Peer(NamedTuple):
    """A column of the table.

    Attributes:
        name: the column's head.
        environment: the virtual environment it runs in (environments.py).
        server: the script in servers/ and its arguments.
        dialect: how to talk to it.
    """

    name: str
    environment: str
    server: tuple[str, ...]
    dialect: Dialect


PEERS = {
    peer.name: peer
    for peer in (
        Peer("ours v1", "ours", ("app.py",), First()),
        Peer("ours v2", "ours", ("app.py",), Second()),
        Peer("ours flow", "ours", ("app.py",), Flowing()),
        Peer("ours v1 aiohttp", "ours", ("app.py", "--engine=aiohttp"), First()),
        Peer("ours v2 aiohttp", "ours", ("app.py", "--engine=aiohttp"), Second()),
        Peer("ours v1 uvloop", "uvloop", ("app.py", "--loop=uvloop"), First()),
        Peer("ours v2 uvloop", "uvloop", ("app.py", "--loop=uvloop"), Second()),
        Peer("ours demo", "demo", ("terrain.py",), Flowing()),
        Peer("compat v1", "ours", ("released.py",), First()),
        Peer("compat v2", "ours", ("released.py",), Second()),
        Peer("raw v1", "load", ("raw.py",), First()),
        Peer("raw v2", "load", ("raw.py",), Second(frame=64 * 1024 * 1024)),
        Peer("1.12.4", "wslink-1.12.4", ("released.py",), First()),
        Peer("2.6.0", "wslink-2.6.0", ("released.py",), Second()),
        Peer("socket.io", "socketio", ("socketio_.py",), SocketIo()),
        Peer("aiohttp", "aiohttp", ("aiohttp_.py",), PlainJson()),
        Peer("websockets", "websockets", ("websockets_.py",), PlainJson()),
    )
}
