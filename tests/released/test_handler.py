"""wslink.protocol and wslink.publish: what subclasses and curious software see."""

import asyncio
import json

import msgpack
import pytest

from wslink import register
from wslink.protocol import AbstractWebApp, WslinkHandler
from wslink.publish import PublishManager, publishManager
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .package import VERSION, since_2
from .peer import chunks
from .serving import Protocol


class Echo(LinkProtocol):
    @register("test.echo")
    def echo(self, value=None):
        return value


class Socket:
    """What a handler needs of a connection."""

    def __init__(self):
        self.closed, self.received = False, []

    async def send_bytes(self, data):
        self.received.append(bytes(data))

    async def send_str(self, data):
        self.received.append(data)

    async def close(self, **_):
        self.closed = True


@pytest.fixture
def app():
    """A web application without a network."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield AbstractWebApp({"ws": {}, "timeout": 5})
    asyncio.set_event_loop(None)
    loop.close()


class TestAbstractWebApp:
    def test_configuration(self, app):
        assert app.config == {"ws": {}, "timeout": 5}
        assert (app.timeout, app.host, app.port, app.handle_signals, app.ssl_context) == (
            5,
            "127.0.0.1",
            8080,
            True,
            None,
        )

    def test_the_application(self, app):
        assert app.app is None and app.get_app() is None
        app.set_app("anything")
        assert app.app == app.get_app() == "anything"

    def test_last_active_client_id_can_be_set(self, app):
        assert app.last_active_client_id is None
        app.last_active_client_id = "x"
        assert app.last_active_client_id == "x"

    def test_completion_is_a_pending_future(self, app):
        assert asyncio.isfuture(app.completion) and not app.completion.done()

    def test_it_has_no_port(self, app):
        assert app.get_port() == 0

    def test_start_and_stop_do_nothing(self, app):
        loop = app.completion.get_loop()
        assert loop.run_until_complete(app.start()) is None
        assert loop.run_until_complete(app.start(print)) is None
        assert loop.run_until_complete(app.stop()) is None

    def test_the_idle_timer_calls_stop_of_a_subclass(self):
        async def idle():
            class Idle(AbstractWebApp):
                async def stop(self):
                    stopped.set()

            stopped = asyncio.Event()
            app = Idle({"timeout": 1})
            app.shutdown_schedule()
            await asyncio.wait_for(stopped.wait(), 3)
            app.shutdown_schedule()
            app.shutdown_cancel()
            app.shutdown_cancel()

        asyncio.run(idle())


class TestWslinkHandler:
    def test_the_map_of_functions(self, app):
        protocol = Protocol(echo := Echo())
        handler = WslinkHandler(protocol, app)
        owner, function = handler.functionMap["test.echo"]
        assert owner is echo and function is Echo.echo
        assert handler.functionMap["application.exit"][0] is protocol
        assert set(handler.functionMap) == {"test.echo", "application.exit", "application.exit.later"}

    def test_its_parts(self, app):
        protocol = Protocol()
        handler = WslinkHandler(protocol, app)
        assert handler.serverProtocol is handler.getServerProtocol() is protocol
        assert handler.web_app is app
        assert handler.connections == {}
        assert isinstance(handler.publishManager, PublishManager)
        assert handler in handler.publishManager.protocols
        assert handler.getAuthenticatedWebsockets() == []
        assert handler.isClientAuthenticated("nobody") is False

    @since_2
    def test_monitor_and_emitter_are_the_protocols(self, app):
        protocol = Protocol()
        handler = WslinkHandler(protocol, app)
        assert handler.network_monitor is protocol.network_monitor
        assert handler.log_emitter is protocol.log_emitter

    def test_init_hands_out_the_handlers_methods(self, app):
        protocol = Protocol(echo := Echo())
        handler = WslinkHandler(protocol, app)
        for owner in (protocol, echo):
            assert owner.publish == handler.publish
            assert owner.addAttachment == handler.addAttachment
            assert callable(owner.stopServer)

    async def test_secrets_are_starred_out(self):
        handler = WslinkHandler(Protocol(), AbstractWebApp({}))
        payload = {"method": "wslink.hello", "args": [{"secret": "s", "more": 1}, 2]}
        assert handler.payloadWithSecretStripped(payload)["args"] == [{"secret": "*****", "more": 1}, 2]
        assert payload["args"][0]["secret"] == "s"
        assert handler.payloadWithSecretStripped({"a": 1}) == {"a": 1}

    async def test_validate_token(self):
        handler = WslinkHandler(Protocol(secret="s"), AbstractWebApp({}))
        assert await handler.validateToken("s", "id") is True
        assert await handler.validateToken("t", "id") is False

    async def test_a_subclass_sees_connections_come_and_go(self):
        calls = []

        class Mine(WslinkHandler):
            async def onConnect(self, request, client_id):
                calls.append((request, client_id))
                await super().onConnect(request, client_id)

        heard = []

        class Hearing(LinkProtocol):
            def onConnect(self, request, client_id):
                heard.append((request, client_id))

            def onClose(self, client_id):
                heard.append(client_id)

        handler = Mine(Protocol(Hearing()), AbstractWebApp({}))
        await handler.onConnect("a request", "id")
        await handler.onClose("id")
        assert calls == [("a request", "id")]
        assert heard == [("a request", "id"), "id"]


@since_2
async def test_authenticated_websockets_of_a_running_server():
    server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
    endpoint = server.ws
    assert isinstance(endpoint, WslinkHandler)
    connection = await endpoint.connect()
    assert endpoint.connections == {connection.client_id: connection}
    assert endpoint.getAuthenticatedWebsockets() == []


async def test_a_subclass_of_both_can_carry_its_own_connections():
    """Another transport: a handler whose connections are objects of its own."""
    app = AbstractWebApp({})
    handler = WslinkHandler(Protocol(Echo()), app)
    socket, client_id = Socket(), "someone"
    handler.connections[client_id] = socket
    await handler.onConnect(None, client_id)
    hello = {
        "wslink": "1.0",
        "id": "system:c0:0",
        "method": "wslink.hello",
        "args": [{"secret": "wslink-secret"}],
        "kwargs": {},
    }
    for is_binary, data in frames(hello):
        await handler.onMessage(is_binary, Message(data), client_id)
    await until(lambda: socket.received)
    assert handler.isClientAuthenticated(client_id)
    assert handler.getAuthenticatedWebsockets() == [socket]
    assert handler.getAuthenticatedWebsockets(client_id) == [socket]
    assert handler.getAuthenticatedWebsockets("nobody") == []
    app.last_active_client_id = client_id
    assert handler.getAuthenticatedWebsockets(skip_last_active_client=True) == []
    socket.received.clear()
    handler.publish("a.topic", 1)
    await until(lambda: socket.received)


class Message:
    def __init__(self, data):
        self.data = data


def frames(message):
    if VERSION.startswith("1."):
        return [(False, json.dumps(message))]
    return [(True, chunk) for chunk in chunks(msgpack.packb(message), 4096)]


async def until(condition):
    while not condition():
        await asyncio.sleep(0)


class TestPublishManager:
    def test_handlers_come_and_go(self):
        manager = PublishManager()
        manager.registerProtocol("a")
        assert manager.protocols == ["a"]
        manager.unregisterProtocol("a")
        manager.unregisterProtocol("a")
        assert manager.protocols == []

    def test_publishing_to_nobody(self):
        assert PublishManager().publish("a.topic", 1) is None

    def test_the_module_has_one(self):
        assert isinstance(publishManager, PublishManager)

    @since_2
    def test_an_attachment_is_its_own_key(self):
        payload = memoryview(b"x")
        assert PublishManager().addAttachment(payload) is payload

    async def test_it_publishes_through_a_handler(self):
        server = create_webserver({"ws": {"ws": Protocol()}}, backend="generic")
        assert server.ws.publishManager.publish("a.topic", 1, client_id=None, skip_last_active_client=False) is None
        await asyncio.sleep(0.01)
