"""Defect 9: a broadcast stops at the first dead socket."""

import inspect

from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from ..released.package import GENERATIONS, defect
from ..released.peer import PEERS, soon
from ..released.pipes import Pipe
from ..released.serving import Protocol


async def connected(server):
    connection = server.ws.connect()
    if inspect.isawaitable(connection):
        connection = await connection
    peer = PEERS[GENERATIONS[-1]](Pipe(connection))
    await peer.hello()
    return peer


async def dead(*_):
    raise ConnectionResetError("Cannot write to closing transport")


@defect(9)
async def test_the_clients_after_it_get_the_publication():
    server = create_webserver({"ws": {"ws": Protocol(link := LinkProtocol())}}, backend="generic")
    broken, healthy = await connected(server), await connected(server)
    broken.frames.connection.on_message(dead)
    link.publish("a.topic", 1, skip_last_active_client=True)
    assert await soon(healthy.publication("a.topic"), "the publication to the second client") == 1
