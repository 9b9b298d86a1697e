"""Defect 13: onConnect fires twice on the server protocol; a protocol on two endpoints publishes to the last one only."""

import asyncio

from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.serving import Protocol, serving


class Hearing(Protocol):
    def __init__(self, *links):
        self.heard = []
        super().__init__(*links)

    def onConnect(self, request, client_id):
        self.heard.append("connect")

    def onClose(self, client_id):
        self.heard.append("close")


class Closing(LinkProtocol):
    def __init__(self):
        self.closed = asyncio.Event()

    def onClose(self, client_id):
        asyncio.get_running_loop().call_soon(self.closed.set)


@defect(13)
async def test_the_server_protocol_hears_each_connection_once():
    async with serving(protocol := Hearing(closing := Closing())) as running:
        await (await running.connect()).close()
        await closing.closed.wait()
        assert protocol.heard == ["connect", "close"]


@defect(13)
async def test_validate_token_is_asked_once():
    class Validating(Protocol):
        asked = 0

        async def validateToken(self, token, client_id):
            self.asked += 1
            return True

    async with serving(protocol := Validating()) as running:
        await running.connect()
        assert protocol.asked == 1


@defect(13)
async def test_a_protocol_on_two_endpoints_publishes_to_both():
    protocol = Protocol()
    async with serving(ws={"one": protocol, "two": protocol}) as running:
        peers = [await running.connect(route=route) for route in ("one", "two")]
        protocol.publish("a.topic", 1)
        for peer in peers:
            assert await soon(peer.publication("a.topic"), "a publication at each endpoint") == 1
        assert protocol.getLinkProtocols() == [protocol]
