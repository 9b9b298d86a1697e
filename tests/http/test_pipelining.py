"""Requests that are sent before the first of them is answered."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from wslink.http.site import Site


@pytest.mark.parametrize("size", [0, 60_000, 500_000])
async def test_every_request_is_answered_in_order(size: int) -> None:
    """A connection is not read far ahead of its answers, and read on as they are given."""
    gate, answered = asyncio.Event(), 0

    async def slow(request: web.Request) -> web.Response:
        nonlocal answered
        body = await request.read()
        await gate.wait()
        answered += 1
        return web.Response(text=f"{answered} {len(body)};")

    application = web.Application(client_max_size=2**20)
    application.router.add_post("/", slow)
    site = Site(application, "127.0.0.1", 0, None)
    port = await site.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(40):
            writer.write(f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode() + bytes(size))
        await asyncio.sleep(0.2)
        gate.set()
        for number in range(1, 41):
            await asyncio.wait_for(reader.readuntil(f"\r\n\r\n{number} {size};".encode()), 10)
        writer.close()
    finally:
        await site.stop()
