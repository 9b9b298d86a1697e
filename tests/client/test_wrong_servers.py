"""Servers that send what no server should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgpack
import pytest
from aiohttp import web

import wslink
from tests.messages import HEADER
from wslink import CallError, ConnectionClosed

# A hostile server: the case cannot be had from a real one.

Script = Callable[[web.WebSocketResponse, dict[str, Any]], Any]


def packed(message: Any, id_: int = 1) -> bytes:
    text = msgpack.packb(message)
    return HEADER.pack(id_, 0, len(text)) + text


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[..., Any]]:
    runners = []

    async def start(script: Script, hello: Any = {"clientID": "c1"}) -> str:  # noqa: B006
        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            async for frame in socket:
                call = msgpack.unpackb(frame.data[12:])
                if call["method"] == "wslink.hello" and hello is ...:
                    await asyncio.sleep(30)
                elif call["method"] == "wslink.hello":
                    await socket.send_bytes(packed({"id": call["id"], "result": hello}))
                else:
                    await script(socket, call)
            return socket

        application = web.Application()
        application.router.add_get("/ws", handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        return f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"

    yield start
    for runner in runners:
        await runner.cleanup()


async def test_garbage_from_a_server_does_not_end_the_link(scripted: Callable[[Script], Any]) -> None:
    async def script(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.send_bytes(b"abc")
        await socket.send_str("text")
        for message in (7, {}, {"id": 7}, {"id": "publish:a.b:1"}, {"id": "rpc:c1:99", "result": 1}):
            await socket.send_bytes(packed(message))
        array = msgpack.ExtType(1, b"\x06\x92\xa3|u1\x02ab")
        await socket.send_bytes(packed({"id": "rpc:c1:99", "error": array}))
        await socket.send_bytes(packed({"id": "rpc:c1:99", "error": {"data": {"exception": array}}}))
        await socket.send_bytes(packed({"id": "publish:a.b:1", "result": 1, "subscriptions": [[1], {}, 7]}))
        await socket.send_bytes(
            packed({"id": call["id"], "error": "x" if call["args"] else {"data": {"exception": array}}})
        )

    async with wslink.connect(await scripted(script, {"clientID": "c1", "features": ["arrays"]})) as link:
        with pytest.raises(CallError):
            await link.call("test.any")
        with pytest.raises(CallError):
            await link.call("test.any", "an error that is no map")
        with pytest.raises(CallError, match="this server has no filters"):
            await link.subscribe("a.b", filter={"row": 1}).ready


async def test_a_close_in_the_middle_of_a_call_is_told_with_its_reason(scripted: Callable[[Script], Any]) -> None:
    async def script(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.close(code=4321, message=b"enough")

    async with wslink.connect(await scripted(script)) as link:
        with pytest.raises(ConnectionClosed) as closed:
            await link.call("test.any")
        assert (closed.value.code, closed.value.reason) == (4321, "enough")


@pytest.mark.parametrize(
    "result", [None, 7, {}, {"clientID": "c1", "maxMsgSize": "x"}, {"clientID": "c1", "features": 7}]
)
async def test_a_hello_that_makes_no_sense_is_a_failed_connection(scripted: Callable[..., Any], result: Any) -> None:
    url = await scripted(lambda socket, call: None, result)
    with pytest.raises(ConnectionClosed, match="hello"):
        await wslink.connect(url)


async def test_a_server_that_never_answers_hello_times_out_at_once(scripted: Callable[..., Any]) -> None:
    url = await scripted(lambda socket, call: None, ...)
    begun = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionClosed, match=r"did not answer within 0.2 s"):
        await wslink.connect(url, timeout=0.2)
    assert asyncio.get_running_loop().time() - begun < 5


async def test_a_server_that_never_answers_times_out() -> None:
    left = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectionClosed, match="did not answer within 0.2 s"):
        await wslink.connect(f"ws://127.0.0.1:{port}/ws", timeout=0.2)
    await left.wait()
    server.close()


@pytest.mark.parametrize("heartbeat", [float("nan"), float("inf"), -1, 1e300])
async def test_a_heartbeat_that_is_no_time(scripted: Callable[..., Any], heartbeat: float) -> None:
    async def script(socket: web.WebSocketResponse, call: dict[str, Any]) -> None:
        await socket.send_bytes(packed({"id": call["id"], "result": 7}))

    resume = {"token": "t", "epoch": "e", "resumed": False, "heartbeat": heartbeat}
    hello = {"clientID": "c1", "maxMsgSize": 10_000, "features": ["resume"], "resume": resume}
    async with wslink.connect(await scripted(script, hello), timeout=5) as link:
        await asyncio.sleep(0.05)
        assert await link.call("any") == 7
