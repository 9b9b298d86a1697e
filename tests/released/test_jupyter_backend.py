"""The Jupyter backend: one comm, many clients, several servers."""

import asyncio
from types import SimpleNamespace

import aiohttp
import pytest

from wslink import register
from wslink.websocket import LinkProtocol

from .package import GENERATIONS, since_2
from .peer import PEERS
from .serving import Protocol

core = pytest.importorskip("wslink.backends.jupyter.core", reason="needs IPython")

pytestmark = since_2


class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        return value


class Named(Protocol):
    """As trame's: knows a server that has a name."""

    def __init__(self, name, *links):
        self.server = SimpleNamespace(name=name)
        super().__init__(*links)


class Comm:
    """The kernel's end of a comm, driven by the test in place of a page."""

    def __init__(self):
        self.sent, self.message, self.closed = asyncio.Queue(), None, None

    def on_msg(self, callback):
        self.message = callback

    def on_close(self, callback):
        self.closed = callback

    def send(self, data=None, metadata=None, buffers=None):
        self.sent.put_nowait((data, buffers))


class Page:
    """One client of a server, over a comm."""

    closed, close_code = False, None

    def __init__(self, comm, server, client):
        self.comm, self.address = comm, {"server": server, "client": client}

    async def send_bytes(self, data):
        self.comm.message({"content": {"data": dict(self.address)}, "buffers": [memoryview(data)]})

    async def send_str(self, data):
        self.comm.message({"content": {"data": {**self.address, "payload": data}}, "buffers": []})

    async def receive(self):
        data, buffers = await self.comm.sent.get()
        assert {name: data[name] for name in ("server", "client")} == self.address
        if buffers:
            return SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=bytes(buffers[0]))
        return SimpleNamespace(type=aiohttp.WSMsgType.TEXT, data=data["payload"])


class Kernel:
    def __init__(self):
        self.targets = {}
        self.comm_manager = SimpleNamespace(register_target=self.targets.__setitem__)

    def open(self):
        comm = Comm()
        self.targets["wslink_comm"](comm, {"content": {"data": {}}})
        return comm


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr(core, "JUPYTER_COMM", None)
    kernel = Kernel()
    core.get_jupyter_comm(kernel)
    return kernel


def test_the_comm_target_is_registered_once(kernel):
    assert list(kernel.targets) == ["wslink_comm"]
    assert core.get_jupyter_comm() is core.get_jupyter_comm(Kernel())


async def test_hello_and_call(kernel, generation):
    core.create_webserver({"ws": {"ws": Named("app", Echo())}})
    peer = PEERS[generation](Page(kernel.open(), "app", "page-1"))
    await peer.hello()
    assert await peer.call("test.echo", [1, "two"]) == [1, "two"]


async def test_publications(kernel):
    core.create_webserver({"ws": {"ws": Named("app", link := Echo())}})
    peer = PEERS[GENERATIONS[-1]](Page(kernel.open(), "app", "page-1"))
    await peer.hello()
    link.publish("a.topic", 1)
    assert await peer.publication("a.topic") == 1


async def test_clients_share_a_comm(kernel):
    core.create_webserver({"ws": {"ws": Named("app", Echo())}})
    comm = kernel.open()
    for client in ("page-1", "page-2"):
        peer = PEERS[GENERATIONS[-1]](Page(comm, "app", client))
        await peer.hello()
        assert await peer.call("test.echo", client) == client


async def test_servers_share_a_comm(kernel):
    for name in ("one", "two"):
        core.create_webserver({"ws": {"ws": Named(name, Echo())}})
    comm = kernel.open()
    for name in ("two", "one"):
        peer = PEERS[GENERATIONS[-1]](Page(comm, name, "page"))
        await peer.hello()
        assert await peer.call("test.echo", name) == name
    assert comm.sent.empty()


async def test_a_comm_that_opens_again_is_used(kernel):
    core.create_webserver({"ws": {"ws": Named("app", Echo())}})
    old = kernel.open()
    old.closed({})
    peer = PEERS[GENERATIONS[-1]](Page(kernel.open(), "app", "page"))
    await peer.hello()
    assert old.sent.empty()


async def test_it_may_be_started_again(kernel):
    server = core.create_webserver({"ws": {"ws": Named("app", Echo())}})
    for number in range(2):
        ports = []
        task = asyncio.create_task(server.start(ports.append))
        while not ports:
            await asyncio.sleep(0)
        peer = PEERS[GENERATIONS[-1]](Page(kernel.open(), "app", f"page-{number}"))
        await peer.hello()
        assert await peer.call("test.echo", number) == number
        await server.stop()
        await asyncio.wait_for(task, 5)


async def test_start_and_stop(kernel):
    ports = []
    server = core.create_webserver({"ws": {"ws": Named("app")}})
    task = asyncio.create_task(server.start(ports.append))
    while not ports:
        await asyncio.sleep(0)
    await server.stop()
    assert await task is None and ports == [0]


def test_it_has_no_launcher():
    with pytest.raises(NotImplementedError):
        core.startWebServer(None, {})
