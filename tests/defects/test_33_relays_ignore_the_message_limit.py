"""Defect 33: relay and reverse paths ignore the message limit; a dead target leaves a 403 for every later client."""

import asyncio
import contextlib

import aiohttp
import pytest
from aiohttp import web

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from ..released.package import defect
from ..released.peer import soon
from ..released.relaying import Meeting, Relay
from ..released.serving import Protocol, free_port, serving

SIZE = 6 * 10**6
LIMIT = "8000000"


class Echo(LinkProtocol):
    @register("test.size")
    def size(self, value):
        return len(value)

    @register("test.bytes")
    def bytes(self, count):
        return self.addAttachment(bytes(count))


@pytest.fixture
def larger(monkeypatch):
    monkeypatch.setenv("WSLINK_MAX_MSG_SIZE", LIMIT)


@defect(33)
async def test_a_reverse_connection_takes_what_the_limit_allows(larger, generation):
    async with Meeting() as meeting:
        task = asyncio.create_task(
            create_webserver({"reverse_url": meeting.url, "ws_protocol": Protocol(Echo())}).start()
        )
        peer = await meeting.peer(generation)
        peer.chunk_size = int(LIMIT)
        await peer.hello()
        assert await peer.call("test.size", b"x" * SIZE) == SIZE
        await peer.close()
        await task


@defect(33, released=("1.12.4",))
async def test_a_relay_passes_on_what_the_limit_allows(larger, generation):
    async with serving(Protocol(Echo())) as running, Relay(environment={"WSLINK_MAX_MSG_SIZE": LIMIT}) as relay:
        peer = await relay.dial(f"proxy/{running.port}", generation)
        peer.chunk_size = int(LIMIT)
        await peer.hello()
        assert await peer.call("test.size", b"x" * SIZE) == SIZE


@defect(33)
async def test_a_relay_brings_back_what_the_limit_allows(generation):
    """A target that sends whole frames of 6 MB."""

    async def large(request):
        frames = web.WebSocketResponse()
        await frames.prepare(request)
        await frames.send_bytes(bytes(SIZE))
        await frames.receive()
        return frames

    def prepare(server):
        server.app.router.add_get("/large", large)

    async with serving(Protocol(), prepare) as running:
        arguments = ("--proxy-route", "/to/{port}/{path}")
        async with Relay(*arguments, environment={"WSLINK_MAX_MSG_SIZE": LIMIT}) as relay:
            peer = await relay.dial(f"to/{running.port}/large")
            assert len(await soon(peer.frame(), "a frame of 6 MB through the relay", 2)) == SIZE


@defect(33)
async def test_a_target_that_was_dead_may_live_later():
    port = free_port()
    async with Relay() as relay:
        with contextlib.suppress(aiohttp.ClientError, asyncio.TimeoutError):
            early = await relay.dial(f"proxy/{port}")
            await asyncio.wait_for(early.ended(), 0.5)
        async with serving(Protocol(), port=port):
            peer = await soon(relay.dial(f"proxy/{port}"), "a connection through the relay")
            await soon(peer.hello(), "an answer through the relay")


@defect(33)
async def test_a_server_that_leaves_takes_its_client_along():
    async with serving(Protocol(Echo())) as running, Relay() as relay:
        peer = await relay.dial(f"proxy/{running.port}")
        await peer.hello()
        stopping = asyncio.create_task(running.server.stop())
        await soon(peer.ended(), "the end of the client's connection")
        await stopping
