"""Backends of others, which are written like the released ones: on WslinkHandler and AbstractWebApp."""

import asyncio
import importlib
import sys
import threading
import types
import uuid

import aiohttp
import pytest
from aiohttp import web

from wslink import register
from wslink.protocol import AbstractWebApp, WslinkHandler
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .package import since_2
from .serving import Protocol, Visit


class Talk(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        self.publish("a.topic", value)
        return value

    @register("test.stop")
    def stop(self):
        self.stopServer()


class Handler(WslinkHandler):
    async def handle(self, request):
        socket, client_id = web.WebSocketResponse(max_msg_size=0), uuid.uuid4().hex
        self.connections[client_id] = socket
        self.web_app.shutdown_cancel()
        try:
            await socket.prepare(request)
            await self.onConnect(request, client_id)
            async for message in socket:
                await self.onMessage(message.type == aiohttp.WSMsgType.BINARY, message, client_id)
        finally:
            await self.onClose(client_id)
            del self.connections[client_id]
            self.authentified_client_ids.discard(client_id)
            if not self.connections:
                self.web_app.shutdown_schedule()
        return socket

    async def disconnectClients(self):
        for client_id in list(self.connections):
            await self.connections[client_id].close()
        self.publishManager.unregisterProtocol(self)


class Backend(AbstractWebApp):
    """Serves clients on the event loop that starts it."""

    def __init__(self, config):
        super().__init__(config)
        self.set_app(web.Application())
        self.handler = Handler(config["ws"]["ws"], self)
        self.app.router.add_get("/ws", self.handler.handle)
        self.runner = web.AppRunner(self.app)

    def get_port(self):
        return self.runner.addresses[0][1]

    async def listen(self):
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()

    async def start(self, port_callback=None):
        assert self._completion.get_loop() is asyncio.get_running_loop()
        await self.listen()
        port_callback(self.get_port())
        self.shutdown_schedule()
        await self.completion
        await self.runner.cleanup()

    async def stop(self):
        await self.handler.disconnectClients()
        its_loop = self._completion.get_loop()
        if not self._completion.done():
            its_loop.call_soon_threadsafe(self._completion.set_result, True)


class Threaded(Backend):
    """Serves clients on an event loop of a thread of its own."""

    async def start(self, port_callback=None):
        listening = threading.Event()

        async def serve():
            await self.listen()
            self.ending = asyncio.Event()
            self.its_loop = asyncio.get_running_loop()
            listening.set()
            await self.ending.wait()
            await self.runner.cleanup()

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        await asyncio.to_thread(listening.wait)
        port_callback(self.get_port())
        await self.completion
        self.its_loop.call_soon_threadsafe(self.ending.set)
        await asyncio.to_thread(thread.join)


async def started(server):
    """The port, and the task that serves."""
    port = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(server.start(port.set_result))
    return await asyncio.wait_for(port, 5), task


@pytest.fixture(params=[Backend, Threaded])
def server(request, thread_loop):
    """A server that is made before an event loop runs, as `start_webserver` makes them."""
    return request.param({"ws": {"ws": Protocol(Talk())}})


def test_it_serves_and_stops(server, thread_loop):
    async def use():
        port, task = await started(server)
        async with Visit(port) as visit:
            one, two = await visit.connect(), await visit.connect()
            assert await one.call("test.echo", "a value") == "a value"
            for peer in (one, two):
                assert await peer.publication("a.topic") == "a value"
            assert len(server.handler.connections) == 2
            await one.frames.close()
            while len(server.handler.connections) == 2:
                await asyncio.sleep(0.01)
            assert await two.call("test.echo", 2) == 2
            await two.post("test.stop")
            await asyncio.wait_for(task, 5)
        assert server.handler.connections == {}

    thread_loop.run_until_complete(use())


async def test_it_ends_once_its_last_client_has_gone():
    server = Backend({"ws": {"ws": Protocol(Talk())}, "timeout": 1})
    port, task = await started(server)
    async with Visit(port) as visit:
        peer = await visit.connect()
        await asyncio.sleep(1.2)
        assert not task.done()
        await peer.frames.close()
        await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("path", ["wslink.backends.aiohttp", "wslink.backends.generic"])
def test_it_takes_the_place_of_a_released_one(path, monkeypatch):
    """Applications put a module of their own where `create_webserver` looks for a backend's."""
    package, _, name = path.rpartition(".")
    module = types.ModuleType(path)
    module.create_webserver = lambda config: ("mine", config["port"])
    importlib.import_module(path)
    monkeypatch.setitem(sys.modules, path, module)
    monkeypatch.setattr(importlib.import_module(package), name, module, raising=False)
    assert create_webserver({"port": 7}, backend=name) == ("mine", 7)


@since_2
async def test_a_handler_of_the_application_takes_connections_without_a_web_framework():
    """`onClose` leaves in `connections` what the handler has put there."""
    handler = WslinkHandler(Protocol(), AbstractWebApp({}))
    handler.connections["someone"] = connection = object()
    await handler.onConnect(None, "someone")
    await handler.onClose("someone")
    assert handler.connections == {"someone": connection}
