"""A server that dials: reverse_url."""

import asyncio

import aiohttp
import pytest

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .peer import Failure
from .relaying import Meeting
from .serving import Protocol, free_port


class Echo(LinkProtocol):
    def __init__(self):
        self.heard = []

    def onConnect(self, request, client_id):
        self.heard.append((request, client_id))

    def onClose(self, client_id):
        self.heard.append(client_id)

    @register("test.echo")
    def echo(self, value=None):
        return value


def dialing(url, protocol):
    return create_webserver({"reverse_url": url, "ws_protocol": protocol})


async def test_hello_call_and_publication(generation):
    async with Meeting() as meeting:
        ports = []
        server = dialing(meeting.url, Protocol(link := Echo()))
        task = asyncio.create_task(server.start(ports.append))
        peer = await meeting.peer(generation)
        assert ports == [0]
        with pytest.raises(Failure):
            await peer.hello("wrong")
        assert (await peer.hello())["clientID"] == "creverse_connection_client_id"
        assert await peer.call("test.echo", 1) == 1
        link.publish("a.topic", 2)
        assert await peer.publication("a.topic") == 2
        await peer.close()
        assert await task is None
        assert link.heard == [(meeting.url, "reverse_connection_client_id"), "reverse_connection_client_id"]


async def test_start_ends_when_the_other_side_leaves():
    async with Meeting() as meeting:
        task = asyncio.create_task(dialing(meeting.url, Protocol()).start())
        await (await meeting.peer()).close()
        assert await task is None


async def test_stop_closes_the_connection():
    async with Meeting() as meeting:
        server = dialing(meeting.url, Protocol())
        task = asyncio.create_task(server.start())
        peer = await meeting.peer()
        await peer.hello()
        ended = asyncio.create_task(peer.ended())
        await server.stop()
        await task
        await ended


async def test_nobody_to_dial():
    with pytest.raises(aiohttp.ClientConnectionError):
        await dialing(f"ws://127.0.0.1:{free_port()}/ws", Protocol()).start()


async def test_it_has_no_port_and_no_application():
    server = dialing("ws://127.0.0.1:1/ws", Protocol())
    assert server.get_port() == 0 and server.app is None
