"""The Tornado backend: static files (its websocket: tests/defects/test_21)."""

import asyncio

import pytest

from wslink.server import create_webserver

from .serving import Protocol, Visit, free_port, write_site

pytest.importorskip("tornado")


async def test_static_files(tmp_path):
    port = free_port()
    config = {"port": port, "ws": {"ws": Protocol()}, "static": {"/": str(write_site(tmp_path / "www"))}}
    server = create_webserver(config, backend="tornado")
    task = asyncio.create_task(server.start(None))
    async with Visit(port) as visit, visit.get("deep/page.txt") as response:
        assert (response.status, await response.text()) == (200, "page")
    await server.stop()
    await task


def test_it_has_no_reverse_connection_and_no_launcher():
    from wslink.backends.tornado import startWebServer

    with pytest.raises(NotImplementedError):
        create_webserver({"reverse_url": "ws://x", "ws_protocol": Protocol()}, backend="tornado")
    with pytest.raises(NotImplementedError):
        startWebServer(None, {})
