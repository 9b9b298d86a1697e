"""Defect 6: a chunk header alone makes the receiver allocate its announced size."""

import struct
import tracemalloc

import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import VERSION, defect
from ..released.serving import Protocol, serving

if VERSION.startswith("1."):
    pytest.skip("the first generation has no chunks", allow_module_level=True)

from wslink.chunking import UnChunker

MB = 10**6


def announcement(number):
    return struct.pack("<III", number, 0, 64 * MB) + b"x"


@pytest.fixture
def memory():
    tracemalloc.start()
    yield tracemalloc.get_traced_memory
    tracemalloc.stop()


@defect(6)
def test_the_unchunker_keeps_what_has_arrived(memory):
    receiver = UnChunker()
    receiver.set_max_message_size(4 * 1024**3)
    before, _ = memory()
    for number in range(4):
        receiver.process_chunk(announcement(number))
    assert memory()[1] - before < MB


@defect(6)
async def test_a_server_keeps_what_has_arrived(memory):
    class Echo(LinkProtocol):
        @register("test.echo")
        def echo(self, value):
            return value

    async with serving(Protocol(Echo())) as running:
        peer = await running.connect("second")
        before, _ = memory()
        for number in range(4):
            await peer.frames.send_bytes(announcement(number))
        assert await peer.call("test.echo", 1) == 1
        assert memory()[1] - before < 5 * MB
