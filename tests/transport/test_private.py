"""The names that dependencies do not promise. A failure here means that a private.py needs another look."""

from __future__ import annotations

import asyncio
import gc
import inspect
import socket
import time
import weakref
from typing import Any

import pytest
from aiohttp import WSMessage, WSMsgType, web, web_protocol

from tests.conftest import Open, Serve
from tests.transport.raw import BINARY, PING, PONG, RawSocket
from wslink import App
from wslink.transport import private as aiohttp_private
from wslink.transport import private_asyncio
from wslink.transport.picows import private as picows_private
from wslink.transport.picows import taking_over
from wslink.wire.chunks import HEADER


def test_the_names_of_picows() -> None:
    from picows.picows import WSProtocol

    for name in ("connection_made", "get_buffer", "buffer_updated", "connection_lost"):
        assert callable(getattr(WSProtocol, name))
    assert issubclass(WSProtocol, asyncio.BufferedProtocol)


async def test_what_picows_would_have_asked_the_socket_for_is_so_without_it(app: App, serve: Serve) -> None:
    client = await RawSocket.open(await serve(app, engine="picows"))
    lines = [one for one in gc.get_objects() if isinstance(one, picows_private.Line)]
    connected = [one.transport.get_extra_info("socket") for one in lines if not one.transport.is_closing()]
    assert connected
    assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in connected)
    assert not any(hasattr(one, "get_extra_info") for one in lines)  # nothing is kept to be asked again
    client.close()


async def test_frames_that_come_together_before_hello_leave_the_read_buffer_as_it_is(app: App, serve: Serve) -> None:
    before = connections_of_picows()  # some may be left, by earlier tests, to the garbage collector
    socket = await RawSocket.open(await serve(app, engine="picows"))
    for _ in range(3_000):
        socket.send(PONG, bytes(20))
    socket.send(PING, b"last")
    assert (await socket.receive()).payload == b"last"
    (connection,) = [one for one in connections_of_picows() if not any(one is other for other in before)]
    assert len(connection.get_buffer(-1)) <= picows_private.READ_BUFFER
    socket.close()


def connections_of_picows() -> list[Any]:
    from picows.picows import WSProtocol

    return [one for one in gc.get_objects() if type(one) is WSProtocol]


async def test_the_names_of_asyncio_and_what_stands_in_for_them() -> None:
    """Connections are accepted by shorter ways where these names exist, and by public ones elsewhere."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        assert not private_asyncio.TransportFactory(FakeLoop()).works  # type: ignore[arg-type]
        opener = private_asyncio.TransportFactory(loop)
        assert opener.works
        assert private_asyncio.accepting(listener).__name__ == "_accept"
        for listening in (listener, Narrow(listener)):
            with socket.create_connection(address) as client:
                descriptor, peer = private_asyncio.accepting(listening)()  # type: ignore[arg-type]
                assert peer == client.getsockname()
                accepted = socket.socket(fileno=descriptor)
                accepted.setblocking(False)
                protocol = Echo()
                opener.open(accepted, peer, protocol)
                assert protocol.made.done()  # at once, and the transport is as any other from then on
                assert protocol.transport.get_extra_info("peername") == peer
                assert protocol.transport._loop is loop
                await loop.sock_sendall(_unblocked(client), b"hi")
                assert await asyncio.wait_for(loop.sock_recv(client, 2), 5) == b"hi"
                protocol.transport.close()


async def test_the_names_of_asyncio_that_tell_when_the_kernel_takes_more() -> None:
    """Beside a transport, which has no writer of its own as long as nothing waits in it."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = await loop.create_connection(asyncio.Protocol, *listener.getsockname())
        transport, told = client[0], asyncio.Event()
        descriptor = transport.get_extra_info("socket").fileno()
        assert private_asyncio.watch_room(FakeLoop(), descriptor, told.set) is None  # type: ignore[arg-type]
        stop = private_asyncio.watch_room(loop, descriptor, told.set)
        assert stop is not None
        await asyncio.wait_for(told.wait(), 5)
        stop()
        told.clear()
        await asyncio.sleep(0.02)
        assert not told.is_set()
        transport.close()


class FakeLoop:
    """Not asyncio's own."""


class Narrow:
    """A listening socket with the public names alone."""

    def __init__(self, listener: socket.socket) -> None:
        self.accept = listener.accept


class Echo(asyncio.Protocol):
    def __init__(self) -> None:
        self.made: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.made.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


def _unblocked(one: socket.socket) -> socket.socket:
    one.setblocking(False)
    return one


def test_the_names_of_aiohttp() -> None:
    assert "connection_lost" in vars(web_protocol.RequestHandler)
    assert "self.transport" in inspect.getsource(web_protocol.RequestHandler.force_close)
    assert {"prepare", "write_eof"} <= set(vars(web.StreamResponse))
    assert "_writer" in web.WebSocketResponse.__init__.__code__.co_names or hasattr(web.WebSocketResponse(), "_writer")
    assert aiohttp_private.compress_per_message(web.WebSocketResponse(compress=False)) == 0


async def test_aiohttp_keeps_nothing_of_a_connection_that_was_taken_over(
    app: App, serve: Serve, peers: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[Any]] = []
    take_over = taking_over.take_over

    def spy(request: web.Request, *args: Any) -> Any:
        seen.append(weakref.ref(request))
        return take_over(request, *args)

    monkeypatch.setattr("wslink.transport.picows.taking_over.take_over", spy)
    url = await serve(app, engine="picows", ws="ws.now")  # which aiohttp has to lead there
    await peers(url.replace("/ws", "/ws.now"), hello={})
    until = time.monotonic() + 10
    while held(seen):
        assert time.monotonic() < until, held(seen)
        await asyncio.sleep(0.02)
    assert len(seen) == 1


def held(requests: list[weakref.ref[Any]]) -> list[Any]:
    """What there is of requests, and of handlers that have a connection."""
    gc.collect()
    handlers = [one for one in gc.get_objects() if isinstance(one, web_protocol.RequestHandler) and one.transport]
    return handlers + [one for ref in requests if (one := ref()) is not None]


async def test_the_names_of_aiohttp_that_bound_heads_and_guard_frames() -> None:
    head = b"GET /ws HTTP/1.1\r\nHost: here\r\nConnection: a\r\nConnection: b\r\n\r\n"
    parsed = aiohttp_private.parse_head(head)
    assert parsed is not None
    assert parsed.getall("connection") == ["a", "b"]
    assert aiohttp_private.parse_head(b"GET /ws HTTP/1.1\r\nbad header\r\n\r\n") is None
    server = web.Server(lambda request: None, **aiohttp_private.HANDLER_OPTIONS)  # type: ignore[arg-type]
    handler = aiohttp_private.bounded_handler(server, lambda transport: None)
    for name in ("_waiter", "_payload_parser", "set_parser", "force_close"):
        assert hasattr(handler, name)
    connector = aiohttp_private.guarding_connector()
    assert hasattr(connector._factory(), "set_parser")
    await connector.close()


async def test_what_nobody_will_read_is_forgotten(app: App, serve: Serve) -> None:
    """aiohttp takes small frames apart by the thousand, also of a connection that has been closed meanwhile."""
    client = await RawSocket.open(await serve(app, engine="aiohttp"))
    for _ in range(3):
        for number in range(59_999, 1, -2):
            client.send(BINARY, HEADER.pack(7, number, 60_000) + b"x")
        await asyncio.sleep(0.05)
    messages = [one for one in gc.get_objects() if isinstance(one, WSMessage) and one.type is WSMsgType.BINARY]
    client.close()
    assert not [one for one in messages if one.data.startswith(HEADER.pack(7, 0, 0)[:4]) and len(one.data) == 13]
