"""Defect 21: the generic backend never calls onClose; the Tornado backend fails on connect."""

import asyncio
import inspect

import pytest

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from ..released.package import GENERATIONS, defect
from ..released.peer import soon
from ..released.serving import Protocol, Visit, free_port


class Hearing(LinkProtocol):
    def __init__(self):
        self.heard, self.closed = [], asyncio.Event()

    def onConnect(self, request, client_id):
        self.heard.append("connect")

    def onClose(self, client_id):
        self.heard.append("close")
        self.closed.set()

    @register("test.echo")
    def echo(self, value):
        return value


async def awaited(value):
    return await value if inspect.isawaitable(value) else value


@defect(21)
async def test_the_generic_backend_calls_on_close():
    server = create_webserver({"ws": {"ws": Protocol(hearing := Hearing())}}, backend="generic")
    connection = await awaited(server.ws.connect())
    await awaited(connection.close())
    assert hearing.heard == ["connect", "close"]


@defect(21, released=("2.6.0",))
async def test_the_tornado_backend_speaks():
    pytest.importorskip("tornado")
    port = free_port()
    server = create_webserver({"port": port, "ws": {"ws": Protocol(hearing := Hearing())}}, backend="tornado")
    task = asyncio.create_task(server.start(None))
    async with Visit(port) as visit:
        peer = await visit.connect()
        assert await peer.call("test.echo", [1]) == [1]
        hearing.publish("a.topic", 2)
        assert await peer.publication("a.topic") == 2
        await peer.close()
        if GENERATIONS[-1] == "second":
            await soon(hearing.closed.wait(), "onClose")
    await server.stop()
    await task
