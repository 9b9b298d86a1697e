"""Each backend of the released API with a way to connect to it, so that one suite runs over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.ports import free_port
from tests.released.peer import PEERS, Peer
from tests.released.pipes import Pipe
from tests.released.relaying import Meeting
from tests.released.serving import Protocol
from wslink import App
from wslink.server import create_webserver

GENERATIONS = {1: "first", 2: "second"}


class Place:
    """A running server. `dial` makes a connection that has not said hello."""

    def __init__(self, server: Any, dial: Callable[[], Any]) -> None:
        self.server = server
        self.dialed: list[Any] = []
        self._dial = dial

    async def dial(self, generation: int) -> Peer:
        self.dialed.append(await self._dial())
        return PEERS[GENERATIONS[generation]](self.dialed[-1])

    async def connect(self, generation: int) -> Peer:
        peer = await self.dial(generation)
        await peer.hello()
        return peer


@asynccontextmanager
async def running(config: dict[str, Any], backend: str) -> AsyncIterator[Any]:
    """A server of a backend, started and at the end stopped."""
    server = create_webserver({"host": "127.0.0.1", "port": 0, "handle_signals": False, **config}, backend)
    started = asyncio.Event()
    task = asyncio.create_task(server.start(lambda _: started.set()))
    await started.wait()
    try:
        yield server
    finally:
        await server.stop()
        await task


@asynccontextmanager
async def over_http(protocol: Protocol, backend: str) -> AsyncIterator[Place]:
    async with running({"ws": {"ws": protocol}}, backend) as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.get_port()}/ws"
        yield (place := Place(server, lambda: session.ws_connect(url, max_msg_size=0)))
        for socket in place.dialed:
            await socket.close()


@asynccontextmanager
async def generic(protocol: Protocol) -> AsyncIterator[Place]:
    async with running({"ws": {"ws": protocol}}, "generic") as server:

        async def dial() -> InMemory:
            return InMemory(await server.ws.connect())

        yield Place(server, dial)


@asynccontextmanager
async def reverse(protocol: Protocol) -> AsyncIterator[Place]:
    """A server that dials: its only client is whoever is there."""
    async with (
        Meeting() as meeting,
        running({"reverse_url": meeting.url, "ws_protocol": protocol}, "aiohttp") as server,
    ):
        yield (place := Place(server, meeting.arrivals.get))
        for socket in place.dialed:
            await socket.close()


class InMemory(Pipe):
    """A Pipe that can be closed from either side."""

    async def close(self) -> None:
        await self.connection.close()

    @property
    def closed(self) -> bool:
        return bool(self.connection.closed)


@asynccontextmanager
async def jupyter(protocol: Protocol) -> AsyncIterator[Place]:
    core = pytest.importorskip("wslink.backends.jupyter.core", reason="needs IPython")
    core.JUPYTER_COMM = None
    kernel = Kernel()
    core.get_jupyter_comm(kernel)
    protocol.server = SimpleNamespace(name="app")
    async with running({"ws": {"ws": protocol}}, "jupyter") as server:
        pages: list[Page] = []

        async def dial() -> Page:
            pages.append(Page(kernel.open(), f"page-{len(pages)}"))
            return pages[-1]

        yield Place(server, dial)
    core.JUPYTER_COMM = None


class Kernel:
    """A kernel's comm manager, and the page's side of it."""

    def __init__(self) -> None:
        self.comm_manager = self
        self.opened: Any = None

    def register_target(self, name: str, opened: Any) -> None:
        assert name == "wslink_comm"
        self.opened = opened

    def open(self) -> Comm:
        comm = Comm()
        self.opened(comm, {"content": {"data": {}}})
        return comm


class Comm:
    def __init__(self) -> None:
        self.sent: asyncio.Queue[Any] = asyncio.Queue()
        self.message: Any = None
        self.closed: Any = None

    def on_msg(self, callback: Any) -> None:
        self.message = callback

    def on_close(self, callback: Any) -> None:
        self.closed = callback

    def send(self, data: Any = None, metadata: Any = None, buffers: Any = None) -> None:
        self.sent.put_nowait((data, buffers))


class Page:
    """A page behind a comm, in the shape of a WebSocket."""

    closed, close_code = False, None

    def __init__(self, comm: Comm, client: str) -> None:
        self.comm, self.address = comm, {"server": "app", "client": client}

    async def send_bytes(self, data: bytes) -> None:
        self.comm.message({"content": {"data": dict(self.address)}, "buffers": [memoryview(data)]})

    async def send_str(self, data: str) -> None:
        self.comm.message({"content": {"data": {**self.address, "payload": data}}, "buffers": []})

    async def receive(self) -> Any:
        data, buffers = await self.comm.sent.get()
        if buffers:
            return SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=bytes(buffers[0]))
        return SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data=data["payload"])

    async def close(self) -> None:
        self.comm.closed({})


def tornado(protocol: Protocol) -> AbstractAsyncContextManager[Place]:
    pytest.importorskip("tornado")
    return over_http(protocol, "tornado")


class Mounted:
    """An App that includes a protocol, mounted in Starlette under uvicorn."""

    def __init__(self, protocol: Protocol) -> None:
        app = App(secret=protocol.secret)
        app.include(protocol)
        self.url = f"http://127.0.0.1:{(port := free_port())}/below/mount/ws"
        outer = Starlette(routes=[Mount("/below/mount", app.asgi())])
        self._server = uvicorn.Server(uvicorn.Config(outer, port=port, log_level="error", ws_max_size=64 << 20))
        self._task = asyncio.create_task(self._server.serve())

    async def started(self) -> None:
        while not self._server.started:
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


@asynccontextmanager
async def asgi(protocol: Protocol) -> AsyncIterator[Place]:
    server = Mounted(protocol)
    await server.started()
    async with aiohttp.ClientSession() as session:
        yield (place := Place(server, lambda: session.ws_connect(server.url, max_msg_size=0)))
        for socket in place.dialed:
            await socket.close()
    await server.stop()


PLACES: dict[str, Callable[[Protocol], AbstractAsyncContextManager[Place]]] = {
    "aiohttp": lambda protocol: over_http(protocol, "aiohttp"),
    "reverse": reverse,
    "generic": generic,
    "jupyter": jupyter,
    "tornado": tornado,
    "asgi": asgi,
}

SHARED = [name for name in PLACES if name != "reverse"]
"""Those that several clients can use at a time."""

ENDING = [name for name in PLACES if name != "asgi"]
"""Those that a client's application.exit may end; what an App is mounted in is not its own to end."""
