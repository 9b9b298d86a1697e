"""LinkProtocol and ServerProtocol on their own, and what building a server does to them."""

import asyncio
import logging

import pytest

from wslink.server import create_webserver
from wslink.websocket import LinkProtocol, ServerProtocol

from .package import since_2
from .peer import Failure
from .serving import Protocol, serving


def test_a_link_protocol_before_it_is_connected():
    link = LinkProtocol()
    assert link.coreServer is None
    assert link.publish("a.topic", {}) is None
    assert link.getSharedObject("app") is None
    assert link.onConnect(None, "id") is None
    assert link.onClose("id") is None


@since_2
def test_the_first_publish_and_add_attachment_take_anything():
    link = LinkProtocol()
    assert link.publish("a.topic", 1, client_id="x", skip_last_active_client=True) is None
    assert link.addAttachment(b"x") is None


@pytest.mark.parametrize("kind", [LinkProtocol, ServerProtocol])
def test_init_sets_three_attributes_of_the_instance(kind):
    protocol = kind()
    protocol.init(print, repr, len)
    assert (protocol.publish, protocol.addAttachment, protocol.stopServer) == (print, repr, len)


def test_registering_ties_and_unregistering_unties():
    server, link = ServerProtocol(), LinkProtocol()
    server.registerLinkProtocol(link)
    assert link.coreServer is server and server.getLinkProtocols() == [link]
    server.unregisterLinkProtocol(link)
    assert link.coreServer is None and server.getLinkProtocols() == []


def test_only_link_protocols_are_registered():
    with pytest.raises(AssertionError):
        ServerProtocol().registerLinkProtocol(object())


def test_unregistering_twice_is_logged(caplog):
    with caplog.at_level(logging.ERROR, "wslink"):
        ServerProtocol().unregisterLinkProtocol(LinkProtocol())
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_link_protocols_keep_their_order():
    links = [LinkProtocol() for _ in range(5)]
    assert Protocol(*links).getLinkProtocols() == links


def test_shared_objects():
    server, link = ServerProtocol(), LinkProtocol()
    server.registerLinkProtocol(link)
    server.setSharedObject("app", server)
    assert server.getSharedObject("app") is server and link.getSharedObject("app") is server
    assert server.getSharedObject("other") is None
    server.setSharedObject("app", None)
    assert server.getSharedObject("app") is None


def test_shared_objects_may_be_set_before_super_init():
    class Early(ServerProtocol):
        def __init__(self):
            self.setSharedObject("app", 1)
            super().__init__()

        def initialize(self):
            assert self.getSharedObject("app") == 1

    assert Early().getSharedObject("app") == 1


def test_initialize_runs_once_at_the_end_of_init():
    class Counting(ServerProtocol):
        runs = 0

        def initialize(self):
            assert self.getLinkProtocols() == []
            assert self.secret is None
            self.runs += 1

    assert Counting().runs == 1


def test_update_secret():
    server = ServerProtocol()
    server.updateSecret("new")
    assert server.secret == "new"


async def test_building_a_server_calls_init_in_order_the_server_protocol_last():
    order = []

    class Link(LinkProtocol):
        def __init__(self, name):
            self.name = name  # no super().__init__()

        def init(self, publish, addAttachment, stopServer):
            order.append(self.name)
            super().init(publish, addAttachment, stopServer)

    class Server(Protocol):
        def init(self, publish, addAttachment, stopServer):
            order.append("server")
            super().init(publish, addAttachment, stopServer)

    protocol = Server(Link("one"), Link("two"))
    create_webserver({"port": 0, "ws": {"ws": protocol}})
    assert order == ["one", "two", "server"]


async def test_a_built_server_has_the_server_protocol_among_its_link_protocols():
    protocol = Protocol(link := LinkProtocol())
    create_webserver({"port": 0, "ws": {"ws": protocol}})
    assert protocol.getLinkProtocols() == [link, protocol]


async def test_init_replaces_a_publish_method_of_the_class():
    class Own(LinkProtocol):
        def publish(self, topic, event):
            raise AssertionError("only until a server is built")

    async with serving(Protocol(own := Own())) as running:
        peer = await running.connect()
        own.publish("a.topic", 1)
        assert await peer.publication("a.topic") == 1


async def test_connect_and_close_reach_every_protocol_in_order():
    calls = []
    done = asyncio.Event()

    class Link(LinkProtocol):
        def __init__(self, name):
            self.name = name

        def onConnect(self, request, client_id):
            calls.append(("connect", self.name, request.path, client_id))

        def onClose(self, client_id):
            calls.append(("close", self.name, client_id))
            if self.name == "two":
                done.set()

    class Silent(LinkProtocol):
        def __init__(self):
            pass

    async with serving(Protocol(Link("one"), Silent(), Link("two"))) as running:
        peer = await running.connect()
        (client_id,) = {call[3] for call in calls}
        assert peer.client_id == f"c{client_id}" and len(client_id) == 32
        await peer.close()
        await done.wait()
    assert calls == [
        ("connect", "one", "/ws", client_id),
        ("connect", "two", "/ws", client_id),
        ("close", "one", client_id),
        ("close", "two", client_id),
    ]


async def test_the_server_protocol_hears_first():
    calls, done = [], asyncio.Event()

    class Link(LinkProtocol):
        def onConnect(self, request, client_id):
            calls.append("link connect")

        def onClose(self, client_id):
            calls.append("link close")
            done.set()

    class Server(Protocol):
        def onConnect(self, request, client_id):
            calls.append("server connect")

        def onClose(self, client_id):
            calls.append("server close")

    async with serving(Server(Link())) as running:
        await (await running.connect()).close()
        await done.wait()
    assert calls[:2] == ["server connect", "link connect"]
    assert calls.index("server close") < calls.index("link close")


async def test_connect_comes_before_hello():
    connected = asyncio.Event()

    class Link(LinkProtocol):
        def onConnect(self, request, client_id):
            connected.set()

    async with serving(Protocol(Link())) as running:
        await running.dial()
        await connected.wait()


async def test_an_exception_in_on_connect_ends_that_connection_only():
    class Picky(LinkProtocol):
        refuse = True

        def onConnect(self, request, client_id):
            if self.refuse:
                raise RuntimeError("not you")

    async with serving(Protocol(picky := Picky())) as running:
        refused = await running.dial()
        await refused.ended()
        picky.refuse = False
        assert (await running.connect()).client_id


async def test_stop_server_ends_the_server():
    async with serving(Protocol(link := LinkProtocol())) as running:
        peer = await running.connect()
        link.stopServer()
        assert await peer.ended() == 1001
        assert await running.task is None


async def test_application_exit_answers_then_ends_the_server(generation):
    async with serving(Protocol()) as running:
        peer = await running.connect(generation)
        assert await peer.call("application.exit") is None
        assert await peer.ended() == 1001
        await running.task


async def test_application_exit_later():
    async with serving(Protocol()) as running:
        peer = await running.connect()
        assert await peer.call("application.exit.later", 0.01) is None
        assert await peer.ended() == 1001
        await running.task


async def test_application_exit_later_takes_a_name_and_waits():
    async with serving(Protocol()) as running:
        peer = await running.connect()
        await peer.call("application.exit.later", secondsLater=30)
        with pytest.raises(Failure):
            await peer.call("still.there")
