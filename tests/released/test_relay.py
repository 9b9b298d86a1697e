"""`python -m wslink.relay`: forward and relay mode."""

import asyncio

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .relaying import Relay
from .serving import Protocol, serving, write_site


class Echo(LinkProtocol):
    def __init__(self):
        self.connected = asyncio.Event()

    def onConnect(self, request, client_id):
        self.connected.set()

    @register("test.echo")
    def echo(self, value=None):
        return value


async def test_forward_mode(generation):
    async with serving(Protocol(link := Echo())) as running, Relay() as relay:
        peer = await relay.dial(f"proxy/{running.port}", generation)
        await peer.hello()
        assert await peer.call("test.echo", [1, "two"]) == [1, "two"]
        link.publish("a.topic", 3)
        assert await peer.publication("a.topic") == 3


async def test_forward_mode_by_another_route():
    async with (
        serving(ws={"deep": Protocol(Echo())}) as running,
        Relay("--proxy-route", "/to/{host}/{port}/{path}") as relay,
    ):
        peer = await relay.dial(f"to/127.0.0.1/{running.port}/deep")
        await peer.hello()
        assert await peer.call("test.echo", 1) == 1


async def test_forward_mode_takes_the_next_client_when_one_has_left():
    async with serving(Protocol(Echo())) as running, Relay() as relay:
        for number in range(2):
            peer = await relay.dial(f"proxy/{running.port}")
            await peer.hello()
            assert await peer.call("test.echo", number) == number
            await peer.close()
            while running.server.last_active_client_id is None:
                await asyncio.sleep(0)
            await asyncio.sleep(0.1)


async def test_relay_mode(generation):
    async with Relay("--mode", "relay", "--proxy-route", "/meet/{id}") as relay:
        server = create_webserver({"reverse_url": relay.url("meet/one"), "ws_protocol": Protocol(link := Echo())})
        task = asyncio.create_task(server.start())
        await link.connected.wait()
        peer = await relay.dial("meet/one", generation)
        await peer.hello()
        assert await peer.call("test.echo", 1) == 1
        await server.stop()
        await peer.ended()
        await task


async def test_pages_are_served(tmp_path):
    async with Relay("--www", str(write_site(tmp_path / "www"))) as relay:
        for path, status in [("", 302), ("index.html", 200), ("missing.html", 404)]:
            async with relay.visit.get(path) as response:
                assert response.status == status
