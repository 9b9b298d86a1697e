"""The generic backend: connections without a network, as trame's own multi-user server uses it."""

import asyncio

import pytest

from wslink import register
from wslink.backends.generic import startWebServer
from wslink.server import create_webserver, start_webserver
from wslink.websocket import LinkProtocol

from .package import GENERATIONS, since_2
from .peer import PEERS
from .pipes import Pipe
from .programs import options
from .serving import Protocol, write_site

pytestmark = since_2


class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        return value


async def connected(server, generation=GENERATIONS[-1], route="ws"):
    connection = await server[route].connect()
    peer = PEERS[generation](Pipe(connection))
    await peer.hello()
    return peer


async def test_hello_call_and_publication(generation):
    server = create_webserver({"ws": {"ws": Protocol(link := Echo())}}, backend="generic")
    peer = await connected(server, generation)
    assert await peer.call("test.echo", [1, {"a": "x"}]) == [1, {"a": "x"}]
    link.publish("a.topic", 2)
    assert await peer.publication("a.topic") == 2


async def test_routes_are_attributes_and_items():
    server = create_webserver({"ws": {"ws": Protocol(), "other": Protocol()}}, backend="generic")
    assert server.ws is server["ws"] is not None
    assert server.other is server["other"] is not server.ws
    assert server["missing"] is None and server.missing is None
    assert sorted(server.ws_endpoints) == ["other", "ws"]


async def test_a_connection():
    server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
    connection = await server.ws.connect()
    assert not connection.closed
    assert len(connection.client_id) == 32
    await connection.close()
    assert connection.closed
    assert server.ws.connections == {}


async def test_on_connect_gets_the_connection():
    heard = []

    class Hearing(LinkProtocol):
        def onConnect(self, request, client_id):
            heard.append((request, client_id))

    server = create_webserver({"ws": {"ws": Protocol(Hearing())}}, backend="generic")
    connection = await server.ws.connect()
    assert heard == [({"type": "generic", "connection": connection}, connection.client_id)]


async def test_several_connections():
    server = create_webserver({"ws": {"ws": Protocol(link := Echo())}}, backend="generic")
    peers = [await connected(server) for _ in range(3)]
    link.publish("a.topic", 1)
    for peer in peers:
        assert await peer.publication("a.topic") == 1
    await peers[0].frames.connection.close()
    assert await peers[1].call("test.echo", 1) == 1


async def test_an_endpoint_disconnects_by_connection_or_id():
    server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
    one, two = await server.ws.connect(), await server.ws.connect()
    await server.ws.disconnect(one)
    await server.ws.disconnect(two.client_id)
    await server.ws.disconnect("nobody")
    assert one.closed and two.closed and server.ws.connections == {}


async def test_start_tells_port_0_and_runs_until_stop():
    ports = []
    server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
    task = asyncio.create_task(server.start(ports.append))
    while not ports:
        await asyncio.sleep(0)
    assert ports == [0] == [server.get_port()]
    assert not task.done()
    assert await server.stop() is None
    assert await task is None


async def test_it_may_be_started_again_and_again():
    server = create_webserver({"ws": {"ws": Protocol(link := Echo())}}, backend="generic")
    for number in range(3):
        ports = []
        task = asyncio.create_task(server.start(ports.append))
        while not ports:
            await asyncio.sleep(0)
        peer = await connected(server)
        link.publish("a.topic", number)
        assert await peer.publication("a.topic") == number
        await peer.frames.connection.close()
        assert not task.done()
        link.stopServer() if number else await server.stop()
        await asyncio.wait_for(task, 5)


async def test_start_webserver_makes_one():
    made = []

    class Made(Protocol):
        def __init__(self):
            super().__init__(Echo())

        def set_server(self, server):
            made.append(server)

    task = start_webserver(options(), Made, disableLogging=True, backend="generic", exec_mode="task")
    peer = await connected(made[0])
    assert await peer.call("test.echo", "x") == "x"
    await peer.frames.connection.close()
    await made[0].stop()
    await task


async def test_static_content_is_written_to_a_folder(tmp_path):
    site = write_site(tmp_path / "www")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.txt").write_text("one")
    config = {"ws": {"ws": Protocol()}, "static": {"/": str(site), "data": str(tmp_path / "data")}}
    create_webserver(config, backend="generic").write_static_content(tmp_path / "new" / "folder")
    written = tmp_path / "new" / "folder"
    assert (written / "index.html").read_text() == "index"
    assert (written / "deep" / "page.txt").read_text() == "page"
    assert (written / "data" / "one.txt").read_text() == "one"


async def test_there_is_no_static_content_to_write(tmp_path):
    create_webserver({"ws": {"ws": Protocol()}}, backend="generic").write_static_content(str(tmp_path / "new"))
    assert list((tmp_path / "new").iterdir()) == []


def test_it_has_no_reverse_connection_and_no_launcher():
    with pytest.raises(NotImplementedError):
        create_webserver({"reverse_url": "ws://x", "ws_protocol": Protocol()}, backend="generic")
    with pytest.raises(NotImplementedError):
        startWebServer(None, {})


async def test_it_has_no_application():
    server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
    assert server.app is None
