"""Defect 19: malformed input ends the connection with 1006 and a traceback in the log."""

import logging
import struct

import msgpack
import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect, first_generation, second_generation
from ..released.serving import Protocol, serving


class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value):
        return value


def whole(content):
    """A message in one chunk."""
    return struct.pack("<III", 7, 0, len(content)) + content


def packed(message):
    return whole(msgpack.packb(message))


TEXTS = {
    "a bare number": "5",
    "a list": "[1, 2]",
    "no JSON": "{",
    "nothing": "",
    "no method": '{"wslink": "1.0", "id": "rpc:x:1"}',
    "a number as id": '{"wslink": "1.0", "id": 5, "method": "test.echo", "args": [1]}',
    "null": "null",
}

FRAMES = {
    "a bare number": packed(5),
    "no method": packed({"wslink": "1.0", "id": "rpc:x:1"}),
    "a number as id": packed({"wslink": "1.0", "id": 5, "method": "test.echo", "args": [1]}),
    "three bytes": b"abc",
    "no MessagePack": whole(b"\xc1\xc1\xc1"),
    "integer keys": packed({1: 2}),
    "beyond the total": struct.pack("<III", 8, 50, 10) + b"0123456789",
    "an argument that is no list of it": packed({"id": "system:c0:0", "method": ["x"], "args": 5}),
}


async def goes_on(running, generation, send):
    peer = await running.connect(generation)
    await send(peer.frames)
    assert await peer.call("test.echo", "still here") == "still here"


@first_generation
@defect(19, released=("1.12.4",))
@pytest.mark.parametrize("what", TEXTS)
async def test_the_connection_goes_on_after_a_text(what, caplog):
    caplog.set_level(logging.ERROR)
    async with serving(Protocol(Echo())) as running:
        await goes_on(running, "first", lambda frames: frames.send_str(TEXTS[what]))
    assert "Traceback" not in caplog.text


@second_generation
@defect(19)
@pytest.mark.parametrize("what", FRAMES)
async def test_the_connection_goes_on_after_a_frame(what, caplog):
    caplog.set_level(logging.ERROR)
    async with serving(Protocol(Echo())) as running:
        await goes_on(running, "second", lambda frames: frames.send_bytes(FRAMES[what]))
    assert "Traceback" not in caplog.text
