"""Defect 4: permessage-deflate is applied to bytes that cannot be compressed, at a tenth of the speed."""

import json
import os

import msgpack

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import SECRET, RawSocket, chunks, envelope
from ..released.serving import Protocol, serving

COMPRESSED = 0x40
JPEG = b"\xff\xd8\xff\xe0" + os.urandom(10**6)


class Images(LinkProtocol):
    @register("image.get")
    def get(self):
        return {"image": self.addAttachment(JPEG)}


def send(socket, message, generation):
    if generation == "first":
        socket.send_frame(0x81, json.dumps(message).encode())
    else:
        (chunk,) = chunks(msgpack.packb(message), 4096)
        socket.send_frame(0x82, chunk)


@defect(4)
async def test_an_image_travels_as_it_is(generation):
    async with serving(Protocol(Images())) as running:
        socket = await RawSocket.dial(running.port, "Sec-WebSocket-Extensions: permessage-deflate")
        send(socket, envelope("system:c0:0", "wslink.hello", [{"secret": SECRET}], {}), generation)
        await socket.frame()
        send(socket, envelope("rpc:x:1", "image.get", [], {}), generation)
        received = b""
        while JPEG not in received:
            first, payload = await socket.frame()
            assert len(payload) < 1000 or not first & COMPRESSED
            received += payload if generation == "first" else payload[12:]
        socket.close()
