"""Defect 11: one client's call received another client's bytes."""

import json

from wslink import register
from wslink.websocket import LinkProtocol

from ..released.package import defect, first_generation
from ..released.peer import envelope, header
from ..released.serving import Protocol, serving

pytestmark = first_generation


class Reading(LinkProtocol):
    @register("read.text")
    def text(self, value=b""):
        return value.decode() if isinstance(value, bytes) else f"no bytes but {value!r}"


async def announce(peer, key):
    """Send an attachment's header, and wait until the server has seen it."""
    await peer.frames.send_str(json.dumps(header(key)))
    await peer.call("read.text")


async def attach(peer, data):
    await peer.frames.send_bytes(data)
    await peer.call("read.text")


async def read(peer, key):
    await peer.frames.send_str(json.dumps(envelope("rpc:x:99", "read.text", [key], {})))
    return (await peer.answer("rpc:x:99"))["result"]


@defect(11, released=("1.12.4",))
async def test_each_client_has_its_own():
    async with serving(Protocol(Reading())) as running:
        one, two = await running.connect("first"), await running.connect("first")
        await announce(one, "wslink_bin1")
        await announce(two, "wslink_bin1")
        await attach(two, b"from two")
        await attach(one, b"from one")
        assert await read(two, "wslink_bin1") == "from two"
        assert await read(one, "wslink_bin1") == "from one"
