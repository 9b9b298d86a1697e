"""The raw engine: picows and msgspec, with no checks, queues or limits. What cannot be beaten, only approached."""

from __future__ import annotations

import asyncio
import functools
import struct

import common
import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

options = common.options()
HEADER = struct.Struct("<III")
connections: set[WSTransport] = set()


@functools.lru_cache(maxsize=8)
def publication(binary: bool, size: int) -> list[tuple[WSMsgType, bytes]]:
    """One encoded publication for all clients and for all times."""
    payload = common.binary(size)
    id_ = f"publish:{common.TOPIC}:0"
    if binary:
        return [(WSMsgType.BINARY, framed(msgspec.msgpack.encode({"wslink": "1.0", "id": id_, "result": payload})))]
    header = {"wslink": "1.0", "method": "wslink.binary.attachment", "args": ["wslink_bin0"]}
    message = {"wslink": "1.0", "id": id_, "result": "wslink_bin0"}
    return [
        (WSMsgType.TEXT, msgspec.json.encode(header)),
        (WSMsgType.BINARY, payload),
        (WSMsgType.TEXT, msgspec.json.encode(message)),
    ]


def framed(text: bytes) -> bytes:
    return HEADER.pack(7, 0, len(text)) + text


class Raw(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        connections.add(transport)
        self.version_1 = False
        self.attachment = b""

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        connections.discard(transport)

    def pause_writing(self) -> None:
        """Nothing heeds it."""

    resume_writing = pause_writing

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        payload = frame.get_payload_as_memoryview()
        if frame.msg_type == WSMsgType.BINARY:
            if self.version_1:
                self.attachment = bytes(payload)
                return
            call = msgspec.msgpack.decode(payload[12:])
            result = self.run(call["method"], call["args"], True)
            answer = msgspec.msgpack.encode({"wslink": "1.0", "id": call["id"], "result": result})
            transport.send(WSMsgType.BINARY, framed(answer))
        elif frame.msg_type == WSMsgType.TEXT:
            self.version_1 = True
            call = msgspec.json.decode(payload)
            if call["method"] == "wslink.binary.attachment":
                return
            result = self.run(call["method"], call["args"], False)
            transport.send(WSMsgType.TEXT, msgspec.json.encode({"wslink": "1.0", "id": call["id"], "result": result}))

    def run(self, method: str, args: list, binary: bool) -> object:
        if method == "bench.add":
            return args[0] + args[1] + args[2]
        if method == "bench.take":
            return len(args[0]) if binary else len(self.attachment)
        if method in ("bench.publish", "bench.array"):
            asyncio.get_running_loop().create_task(publish(binary, *args))
        if method == "bench.binary":
            return common.binary(args[0])
        return None


async def publish(binary: bool, size: int, count: int = 1) -> None:
    frames = publication(binary, size)
    for _ in range(count):
        for connection in connections:
            for kind, payload in frames:
                connection.send(kind, payload)
        await asyncio.sleep(0)


async def main() -> None:
    server = await ws_create_server(lambda _: Raw(), "127.0.0.1", options.port, max_frame_size=512 * 1024 * 1024)
    await server.serve_forever()


asyncio.run(main())
