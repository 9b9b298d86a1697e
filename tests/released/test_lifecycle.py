"""A server from start to stop, through its public interface."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys

import aiohttp
import pytest
from aiohttp import web

from wslink import register
from wslink.server import create_webserver
from wslink.websocket import LinkProtocol

from .package import VERSION, since_2
from .serving import Protocol, free_port, serving, started


def config(**more):
    return {"host": "127.0.0.1", "port": 0, "handle_signals": False, **more}


async def test_start_tells_the_port_it_got_once_it_accepts():
    accepted = asyncio.get_running_loop().create_future()

    async def probe(port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        accepted.set_result(port)

    server = create_webserver(config(ws={"ws": Protocol()}))
    task = asyncio.create_task(server.start(lambda port: asyncio.ensure_future(probe(port))))
    assert await accepted == server.get_port() != 0
    await server.stop()
    await task


async def test_start_needs_no_port_callback():
    port = free_port()
    server = create_webserver(config(ws={"ws": Protocol()}, port=port))
    task = asyncio.create_task(server.start())
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.005)
    assert server.get_port() == port
    await server.stop()
    assert await task is None


async def test_start_ends_with_none_when_the_server_stops():
    async with serving(Protocol()) as running:
        assert not running.server.completion.done()
        assert await running.server.stop() is None
        assert await running.task is None
        assert running.server.completion.result() is True


async def test_stop_closes_every_client_with_1001():
    async with serving(Protocol()) as running:
        peers = [await running.connect() for _ in range(3)]
        ends = asyncio.gather(*(peer.ended() for peer in peers))
        await running.server.stop()
        assert await ends == [1001, 1001, 1001]


async def test_a_stopped_server_refuses_connections():
    async with serving(Protocol()) as running:
        await running.server.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await running.dial()


async def test_a_port_that_is_taken_raises_in_start():
    async with serving(Protocol()) as running:
        second = create_webserver(config(ws={"ws": Protocol()}, port=running.port))
        with pytest.raises(OSError, match="error while attempting to bind on address"):
            await second.start()


async def test_the_task_of_start_may_be_cancelled_before_it_runs():
    server = create_webserver(config(ws={"ws": Protocol()}))
    task = asyncio.create_task(server.start(None))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@since_2
def test_a_server_can_be_built_before_a_loop_runs():
    program = """
import asyncio, warnings
warnings.simplefilter("ignore")
from wslink.server import create_webserver
from wslink.websocket import ServerProtocol

async def stop(port):
    print("accepts", port != 0)
    await server.stop()

server = create_webserver({"port": 0, "ws": {"ws": ServerProtocol()}, "handle_signals": False})
asyncio.get_event_loop().run_until_complete(server.start(lambda port: asyncio.ensure_future(stop(port))))
print("ended")
"""
    output = subprocess.check_output(
        [sys.executable, "-c", program], text=True, env={**os.environ, "WSLINK_READY_MSG": ""}
    )
    assert output.split() == ["accepts", "True", "ended"]


async def test_a_server_without_clients_stops_after_its_timeout():
    async with serving(Protocol(), timeout=1) as running:
        await asyncio.wait_for(running.task, 3)


async def test_a_client_holds_the_server_and_its_leaving_lets_it_go():
    async with serving(Protocol(), timeout=1) as running:
        peer = await running.connect()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(running.task), 1.3)
        await peer.close()
        await asyncio.wait_for(running.task, 3)


async def test_timeout_0_is_for_ever():
    async with serving(Protocol(), timeout=0) as running:
        assert running.server.timeout == 0
        await (await running.connect()).close()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(running.task), 0.2)


async def test_last_active_client_id_is_the_caller_during_a_call():
    class Asking(LinkProtocol):
        @register("ask.last")
        def last(self):
            return running.server.last_active_client_id

    async with serving(Protocol(Asking())) as running:
        assert running.server.last_active_client_id is None
        one, two = await running.connect(), await running.connect()
        for peer in (one, two, one):
            assert "c" + await peer.call("ask.last") == peer.client_id


async def test_what_the_configuration_says_can_be_read():
    server = create_webserver(config(ws={"ws": Protocol()}, timeout="7", port="0", host="localhost"))
    assert (server.host, server.port, server.timeout) == ("localhost", 0, 7)
    assert server.handle_signals is False and server.ssl_context is None
    assert server.config["timeout"] == "7"


async def test_defaults_of_the_configuration():
    server = create_webserver({})
    assert (server.host, server.port, server.timeout, server.handle_signals) == ("127.0.0.1", 8080, 0, True)


async def test_two_endpoints_with_protocols_of_their_own():
    one, two = Protocol(secret="one"), Protocol(secret="two")
    async with serving(ws={"first": one, "/some/deep/ws": two}) as running:
        for route, secret, protocol in [("first", "one", one), ("some/deep/ws", "two", two)]:
            peer = await running.connect(route=route, secret=secret)
            protocol.publish("a.topic", secret)
            assert await peer.publication("a.topic") == secret


async def test_the_application_is_aiohttps():
    async def hello(request):
        return web.Response(text="hello")

    def prepare(server):
        assert isinstance(server.app, web.Application)
        server.app.add_routes([web.get("/one", hello)])
        server.app.router.add_get("/two", hello)
        server.app.router.add_routes([web.get("/three", hello)])
        server.app.router.add_route("GET", "/four", hello)

    async with serving(Protocol(), prepare) as running:
        for path in ("one", "two", "three", "four"):
            async with running.get(path) as response:
                assert await response.text() == "hello"


@since_2
async def test_routes_of_the_application_win_over_static_files(tmp_path):
    (tmp_path / "index.html").write_text("static")

    def answer(text):
        async def handler(request):
            return web.Response(text=text)

        return handler

    def prepare(server):
        server.app.router.add_routes([web.get("/", answer("own root")), web.get("/index.html", answer("own index"))])

    async with serving(Protocol(), prepare, static={"/": str(tmp_path)}) as running:
        for path, text in [("", "own root"), ("index.html", "own index")]:
            async with running.get(path) as response:
                assert (response.status, await response.text()) == (200, text)


async def test_resources_of_the_router_may_be_reordered():
    """Before routes of the application won, software moved them to the front itself."""

    async def own(request):
        return web.Response(text="own")

    def prepare(server):
        server.app.router.add_get("/own", own)
        resources = server.app.router._resources
        resources.insert(0, resources.pop())

    async with serving(Protocol(), prepare) as running, running.get("own") as response:
        assert await response.text() == "own"
        assert await running.connect()


async def test_cleanup_of_the_application_runs_at_stop():
    cleaned = []

    async def clean(app):
        cleaned.append(app)

    async with serving(Protocol(), lambda server: server.app.on_shutdown.append(clean)) as running:
        await running.server.stop()
        assert cleaned == [running.server.app]


@pytest.mark.skipif(VERSION.startswith("1."), reason="1.x serves what the constructor saw")
async def test_a_server_starts_with_static_files_alone(tmp_path):
    (tmp_path / "index.html").write_text("page")
    server = create_webserver(config(static={"/": str(tmp_path)}))
    async with started(server) as running, running.get("index.html") as response:
        assert await response.text() == "page"


async def test_client_ids_differ():
    async with serving(Protocol()) as running:
        ids = {(await running.connect()).client_id for _ in range(5)}
        assert len(ids) == 5 and all(re.fullmatch(r"c\w{32}", client_id) for client_id in ids)
