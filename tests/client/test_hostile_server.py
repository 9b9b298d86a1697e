"""A server that means harm, or errs: the Python client's call fails, and what it holds and does stays bounded."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import pytest
from aiohttp import WSMsgType, web

import wslink
from wslink import ConnectionClosed

WELCOME = {"clientID": "c0", "features": ["subscribe", "flow", "cancel"], "server": {"name": "x", "version": "1"}}


def message(envelope: Any) -> bytes:
    packed = msgpack.packb(envelope)
    return struct.pack("<III", 0, 0, len(packed)) + packed


@asynccontextmanager
async def serving(
    hello: Any, then: Callable[[web.WebSocketResponse], Awaitable[None]] | None = None
) -> AsyncIterator[str]:
    """The URL of a server that answers a hello with `hello`, and every later call with null; `then` goes first."""

    async def handle(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for received in socket:
            if received.type is not WSMsgType.BINARY:
                break
            call = msgpack.unpackb(received.data[12:])
            if not isinstance(call, dict):
                continue
            first = call["method"] == "wslink.hello"
            if not first and then is not None:
                await then(socket)
            await socket.send_bytes(message({"wslink": "1.0", "id": call["id"], "result": hello if first else None}))
        return socket

    application = web.Application()
    application.router.add_get("/ws", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("size", [0, -1, 12, float("inf"), float("nan"), "x", [], None, {}])
async def test_a_frame_size_that_is_none_fails_the_connection(size: Any) -> None:
    async with serving({**WELCOME, "maxMsgSize": size}) as url:
        with pytest.raises(ConnectionClosed, match="makes no sense"):
            await wslink.connect(url, secret="secret", timeout=5)


@pytest.mark.parametrize(
    "hello", [None, 5, [], {}, {"clientID": "c0", "features": 5}, {"clientID": "c0", "server": 5}, "x" * 100_000]
)
async def test_a_welcome_that_is_none_fails_the_connection(hello: Any) -> None:
    async with serving(hello) as url:
        with pytest.raises(ConnectionClosed, match="makes no sense"):
            await wslink.connect(url, secret="secret", timeout=5)


async def test_a_publication_that_names_a_subscription_often_arrives_once() -> None:
    async def publish(socket: web.WebSocketResponse) -> None:
        named = [1] * 100_000 + [[1], None, "1", True]
        await socket.send_bytes(
            message({"wslink": "1.0", "id": "publish:a:1", "result": "once", "subscriptions": named})
        )

    async with serving(WELCOME, publish) as url, wslink.connect(url, secret="secret") as link:
        subscription = link.subscribe("a")
        await subscription.ready
        await link.call("next")
        found = [await anext(subscription), await anext(subscription)]
        assert found == ["once", "once"]  # the two publications


async def test_false_acknowledgements_change_nothing() -> None:
    lies = [
        (1, 2**64 - 1, 0),
        (1, -1, 0),
        (1, "x", {}),
        (1,),
        (1, 0, 2**63),
        (1, 1, 1, 2**32, [1] * 1000),
        (2, 1, 1, 1),
        (6, "a"),
    ]

    async def lie(socket: web.WebSocketResponse) -> None:
        for _ in range(200):
            for items in lies:
                await socket.send_bytes(message(list(items)))

    async with serving(WELCOME, lie) as url, wslink.connect(url, secret="secret") as link:
        assert await asyncio.wait_for(link.call("next", bytes(1000)), 5) is None
