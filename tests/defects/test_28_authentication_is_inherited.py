"""Defect 28: a second browser on a relay path or a reverse connection inherits the first one's authentication."""

import asyncio

import aiohttp
import pytest

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import Closed, Failure
from ..released.relaying import Meeting, Relay
from ..released.serving import Protocol


class Echo(LinkProtocol):
    def __init__(self):
        self.connected = asyncio.Event()

    def onConnect(self, request, client_id):
        self.connected.set()

    @register("test.echo")
    def echo(self, value=None):
        return value


#: The ways in which a stranger may find out that it is not let in.
REFUSED = (Failure, Closed, aiohttp.ClientError, asyncio.TimeoutError)


@defect(28)
async def test_a_reverse_connection_starts_from_nothing():
    async with Meeting() as meeting:
        server = create_webserver({"reverse_url": meeting.url, "ws_protocol": Protocol(Echo())})
        task = asyncio.create_task(server.start())
        known = await meeting.peer()
        await known.hello()
        assert await known.call("test.echo", 1) == 1
        await known.close()
        await task

        task = asyncio.create_task(server.start())
        stranger = await meeting.peer()
        with pytest.raises(REFUSED):
            await asyncio.wait_for(stranger.call("test.echo", 1), 1)
        await stranger.close()
        await asyncio.wait([task])


@defect(28)
async def test_a_relay_path_starts_from_nothing():
    async with Relay("--mode", "relay", "--proxy-route", "/meet/{id}") as relay:
        server = create_webserver({"reverse_url": relay.url("meet/one"), "ws_protocol": Protocol(link := Echo())})
        task = asyncio.create_task(server.start())
        await link.connected.wait()
        first = await relay.dial("meet/one")
        await first.hello()
        assert await first.call("test.echo", 1) == 1
        await first.close()
        with pytest.raises(REFUSED):
            second = await relay.dial("meet/one")
            await asyncio.wait_for(second.call("test.echo", 1), 1)
        task.cancel()
        await asyncio.wait([task])
